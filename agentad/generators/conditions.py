"""Conditions on invented rows from a closed document, or from a few kinds of English clauses.

A document is a list of mappings, such as YAML or JSON hold::

    - {kind: limit, column: amount, low: 1000, exclusive: true}
    - {kind: limit, column: hour, low: 22, high: 5}
    - {kind: beyond, column: amount, side: above, quantile: 0.99}
    - {kind: fixed, column: country, value: DE}
    - {kind: one-of, column: channel, values: [web, phone]}
    - {kind: derived, column: total, expression: price * quantity}

The clauses, parted by commas, semicolons or "and"::

    amount above 1000           also over, more than, greater than, >; at least, >=
    amount below 5              also under, less than, fewer than, <; at most, <=
    hour between 22 and 5       wraps; for a column of moments: hour of paid between 22 and 5
    amount too high             also very, unusually; high, large, big, long, many, much: above the 99 % quantile
    amount too low              also small, short, little, few: below the 1 % quantile
    country is DE               also =, equals
    channel one of web or phone
    total = price * quantity    computed from other columns
    at night                    22 to 5 of the column `hour`, or of the only column of moments

Names are matched without regard to case, underscores and a plural s.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from pydantic import TypeAdapter, ValidationError

from agentad.errors import InputError
from agentad.flow import Beyond, Column, Constraint, Derived, Fixed, Limit, OneOf, Value
from agentad.llm.closed import complaints
from agentad.modalities.shown import shown
from agentad.modalities.table.expression import parse

_LIST: TypeAdapter[tuple[Constraint, ...]] = TypeAdapter(tuple[Constraint, ...])
HIGH, LOW = 0.99, 0.01
"""Quantiles of "too high" and "too low"."""
NIGHT = (22.0, 5.0)

_NUMBER = r"(-?\d+(?:\.\d+)?)"
_NAME = r"(?P<name>.+?)"
_FORMS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (kind, re.compile(pattern, re.IGNORECASE))
    for kind, pattern in (
        ("night", r"(?:at|by) night"),
        ("between", rf"{_NAME} (?:is )?between {_NUMBER} and {_NUMBER}"),
        ("at least", rf"{_NAME} (?:is )?(?:at least|>=) ?{_NUMBER}"),
        ("at most", rf"{_NAME} (?:is )?(?:at most|<=) ?{_NUMBER}"),
        ("above", rf"{_NAME} (?:is )?(?:above|over|more than|greater than|>) ?{_NUMBER}"),
        ("below", rf"{_NAME} (?:is )?(?:below|under|less than|fewer than|<) ?{_NUMBER}"),
        ("high", rf"{_NAME} (?:is |are )?(?:too|very|unusually) (?:high|large|big|long|many|much)"),
        ("low", rf"{_NAME} (?:is |are )?(?:too|very|unusually) (?:low|small|short|little|few)"),
        ("one of", rf"{_NAME} (?:is )?one of (.+)"),
        ("is", rf"{_NAME} ?(?:=| is | equals ) ?(.+)"),
    )
)
_BREAK = re.compile(r"\s*[,;]\s*|\s+and\s+", re.IGNORECASE)
_BETWEEN = re.compile(rf"between {_NUMBER}$", re.IGNORECASE)
_LISTING = re.compile(r"one of .+", re.IGNORECASE)


def read_conditions(document: Any, where: str) -> tuple[Constraint, ...]:
    """The conditions in a parsed YAML or JSON document.

    Raises:
        InputError: it is not a list of them; the message starts with `where`, the file it came from.
    """
    try:
        found = _LIST.validate_python(document)
    except ValidationError as error:
        raise InputError(f"{where}: {complaints(error)}") from error
    for one in found:
        if isinstance(one, Derived):
            parse(one.expression)
        if isinstance(one, Limit) and one.low is None and one.high is None:
            raise InputError(f"{where}: the limit of {shown(one.column, 40)} has neither low nor high")
    return found


def conditions_from_words(text: str, columns: Sequence[Column]) -> tuple[Constraint, ...]:
    """The conditions that the clauses of `text` put on `columns`.

    Raises:
        InputError: a clause is none of the kinds above, or names no column or several.
    """
    return tuple(_clause(clause, columns) for clause in _clauses(text))


def _clauses(text: str) -> list[str]:
    """Split at commas and "and", except inside "between A and B" and a list that goes on."""
    found: list[str] = []
    for piece in _BREAK.split(text.strip().rstrip(".")):
        goes_on = found and (
            _BETWEEN.search(found[-1]) or (_LISTING.search(found[-1]) and not any(f.search(piece) for _, f in _FORMS))
        )
        if goes_on:
            found[-1] += (" and " if _BETWEEN.search(found[-1]) else " or ") + piece
        elif piece:
            found.append(piece)
    return found


def _clause(clause: str, columns: Sequence[Column]) -> Constraint:
    for kind, form in _FORMS:
        if match := form.fullmatch(clause):
            return _condition(kind, match, columns)
    kinds = "above, below, between … and …, too high, too low, is, one of, at night, and column = expression"
    raise InputError(f"condition {shown(clause, 80)!r} is not understood; these are: {kinds}")


def _condition(kind: str, match: re.Match[str], columns: Sequence[Column]) -> Constraint:
    if kind == "night":
        return _hours(columns, *NIGHT)
    name, rest = match["name"], match.groups()[1:]
    hour = re.fullmatch(r"hour(?: of (.+))?", name, re.IGNORECASE)
    if kind == "between" and hour and (hour[1] or _found(name, columns) is None):
        return _hours(columns, float(rest[0]), float(rest[1]), hour[1])
    column = _column(name, columns)
    if kind in ("between", "at least", "at most", "above", "below"):
        low, high = _bounds(kind, [float(number) for number in rest])
        return Limit(column=column.name, low=low, high=high, exclusive=kind in ("above", "below"))
    if kind in ("high", "low"):
        side, quantile = ("above", HIGH) if kind == "high" else ("below", LOW)
        return Beyond.model_validate({"column": column.name, "side": side, "quantile": quantile})
    if kind == "one of":
        values = re.split(r"\s*,\s*|\s+or\s+", rest[0])
        return OneOf(column=column.name, values=tuple(_value(value, column) for value in values))
    return _fixed_or_derived(column, rest[0].strip(), columns)


def _bounds(kind: str, numbers: list[float]) -> tuple[float | None, float | None]:
    if kind == "between":
        return numbers[0], numbers[1]
    return (numbers[0], None) if kind in ("at least", "above") else (None, numbers[0])


def _hours(columns: Sequence[Column], low: float, high: float, of: str | None = None) -> Limit:
    plain = _found("hour", columns)
    if of is None and plain is not None:
        return Limit(column=plain.name, low=low, high=high)
    moments = [column for column in columns if column.kind == "datetime"]
    if of is not None:
        return Limit(column=_column(of, columns).name, low=low, high=high, of="hour")
    if len(moments) != 1:
        raise InputError(
            f"hours are asked for, and the table has {len(moments)} columns of moments and none called hour; "
            "say `hour of COLUMN between A and B`"
        )
    return Limit(column=moments[0].name, low=low, high=high, of="hour")


def _fixed_or_derived(column: Column, text: str, columns: Sequence[Column]) -> Constraint:
    """A computation where the right side names other columns, a value where it does not."""
    if column.kind in ("numeric", "integer") and not re.fullmatch(_NUMBER, text):
        names = {name: _column(name, columns).name for name in parse(text).columns}
        for name, real in names.items():
            text = re.sub(rf'(?<![\w"]){re.escape(name)}(?![\w"])', f'"{real}"', text)
        return Derived(column=column.name, expression=text)
    return Fixed(column=column.name, value=_value(text, column))


def _value(text: str, column: Column) -> Value:
    plain = text.strip().strip("'\"")
    if column.kind in ("numeric", "integer", "boolean") and re.fullmatch(_NUMBER, plain):
        return float(plain)
    return plain


def _found(name: str, columns: Sequence[Column]) -> Column | None:
    for spelling in (str, _plain, lambda text: _plain(text).removesuffix("s")):
        fits = [column for column in columns if spelling(column.name) == spelling(name)]
        if len(fits) == 1:
            return fits[0]
    return None


def _plain(name: str) -> str:
    return re.sub(r"[\s_]+", " ", name.strip().strip("'\"").lower()).removeprefix("the ")


def _column(name: str, columns: Sequence[Column]) -> Column:
    found = _found(name, columns)
    if found is None:
        known = ", ".join(shown(column.name, 40) for column in columns[:20])
        raise InputError(f"{shown(name, 40)!r} names no single column; the columns are {known}")
    return found
