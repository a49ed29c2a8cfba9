"""What conditions mean for the cells of a table: values that meet them, and whether a row does.

Columns that a condition names get their values first, and the rest of the row is invented in their presence. Numbers
that are only bounded on one side fall off exponentially from there, with the standard deviation of the real column as
their scale, so that they neither stick to the bound nor leave the realm of the column.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from agentad.errors import Infeasible, InputError
from agentad.flow import Beyond, Constraint, Derived, Fixed, Limit, OneOf, Value
from agentad.modalities.shown import shown
from agentad.modalities.table.encoder import TableEncoder
from agentad.modalities.table.expression import parse
from agentad.modalities.table.parts import AnyPart, Frequency, Levels, Moment, Number
from agentad.modalities.table.parts.base import as_text
from agentad.modalities.table.parts.number import truth_of
from agentad.modalities.table.values import finite, moments, numbers, truths

HOUR = 3_600_000_000
"""Microseconds."""
Mask = NDArray[np.bool_]
Column = NDArray[np.float64]


@dataclass(frozen=True)
class Targets:
    """Columns whose cells are decided before the others, and conditions with every bound known."""

    columns: dict[str, pl.Series]
    """(n,) cells by column."""
    base: pl.DataFrame
    """(n) real rows with these cells in them."""
    conditions: tuple[Constraint, ...]
    encoder: TableEncoder

    def apply(self, frame: pl.DataFrame) -> pl.DataFrame:
        """`frame` (n rows) with these cells, and then the columns that are computed, in the conditions' order."""
        frame = frame.with_columns(self.columns.values())
        for one in self.conditions:
            if isinstance(one, Derived):
                frame = frame.with_columns(computed(frame, one, self.encoder))
        return frame


def checked(conditions: Sequence[Constraint], encoder: TableEncoder) -> None:
    """Refuse what the table cannot be asked for.

    Raises:
        InputError: a column is unknown or of the wrong kind, a category was never seen, or a column is asked for twice.
    """
    seen = set[str]()
    for one in conditions:
        part = _part(encoder, one.column)
        if one.column in seen:
            raise InputError(f"{shown(one.column, 40)} has two conditions; say in one what it should be")
        seen.add(one.column)
        if isinstance(one, Derived):
            for name in (one.column, *parse(one.expression).columns):
                _needs(Number, _part(encoder, name), name, "a number")
        elif isinstance(one, Limit) and one.of == "hour":
            _needs(Moment, part, one.column, "a moment")
        elif isinstance(one, Limit | Beyond):
            _needs(Number, part, one.column, "a number")
        else:
            for value in _wanted(one):
                _cell(part, value)


def decided(
    conditions: Sequence[Constraint], encoder: TableEncoder, base: pl.DataFrame, real: pl.DataFrame, seed: int
) -> Targets:
    """Cells for as many rows as `base` has, which stay as near to it as a condition lets them.

    Args:
        conditions: checked.
        encoder: knows the columns.
        base: (n) real rows that the invented ones are like.
        real: all real rows, for quantiles and scales.
        seed: decides among valid values.

    Raises:
        Infeasible: no value meets a condition.
    """
    generator = np.random.default_rng(seed)
    limits = tuple(_as_limit(one, encoder, real) for one in conditions)
    columns = {
        one.column: _cells(one, encoder, base, real, generator) for one in limits if not isinstance(one, Derived)
    }
    return Targets(columns, base.with_columns(columns.values()), limits, encoder)


def met(frame: pl.DataFrame, conditions: Sequence[Constraint], encoder: TableEncoder) -> Mask:
    """(n,) whether each row meets all conditions; those from `Targets`, without quantiles."""
    ok = np.ones(len(frame), bool)
    for one in conditions:
        ok &= _met(frame, one, encoder)
    return ok


def computed(frame: pl.DataFrame, one: Derived, encoder: TableEncoder) -> pl.Series:
    """The derived column, rounded as the column is; missing where the expression has no value."""
    expression = parse(one.expression)
    found = expression({name: _read(frame, name, encoder) for name in expression.columns})
    found = np.broadcast_to(found, len(frame)).astype(np.float64)
    return _number_cells(_part(encoder, one.column), found)


def _met(frame: pl.DataFrame, one: Constraint, encoder: TableEncoder) -> Mask:
    if isinstance(one, Limit):
        found = _hours(frame, one.column, encoder) if one.of == "hour" else _read(frame, one.column, encoder)
        return _within(found, one)
    if isinstance(one, Derived):
        want = computed(frame, one, encoder)
        inputs = [np.isfinite(_read(frame, name, encoder)) for name in parse(one.expression).columns]
        undefined = want.is_null().to_numpy() & np.all(inputs, axis=0)
        return np.asarray(_same(frame[one.column], want) & ~undefined)
    cells = frame[one.column]
    wanted = [_cell(_part(encoder, one.column), value) for value in _wanted(one)]
    return np.asarray(np.any([_same(cells, pl.Series([value] * len(cells))) for value in wanted], axis=0))


def _same(a: pl.Series, b: pl.Series) -> Mask:
    return np.asarray(as_text(a).eq_missing(as_text(b)).to_numpy(), dtype=bool)


def _within(found: Column, one: Limit) -> Mask:
    low, high = _ends(one)
    above = found > low if one.exclusive else found >= low
    below = found < high if one.exclusive else found <= high
    return np.asarray(above | below if low > high else above & below)


def _ends(one: Limit) -> tuple[float, float]:
    return (-np.inf if one.low is None else one.low), (np.inf if one.high is None else one.high)


def _as_limit(one: Constraint, encoder: TableEncoder, real: pl.DataFrame) -> Constraint:
    if not isinstance(one, Beyond):
        return one
    values = _read(real, one.column, encoder)
    bound = float(np.nanquantile(values, one.quantile))
    low, high = (bound, None) if one.side == "above" else (None, bound)
    return Limit(column=one.column, low=low, high=high, exclusive=True)


def _cells(
    one: Constraint, encoder: TableEncoder, base: pl.DataFrame, real: pl.DataFrame, generator: np.random.Generator
) -> pl.Series:
    part = _part(encoder, one.column)
    if isinstance(one, Limit) and isinstance(part, Moment):
        return _at_hours(one, part, base[one.column], generator)
    if isinstance(one, Limit):
        assert isinstance(part, Number)  # noqa: S101  `checked` saw to it
        drawn = _drawn(one, part, _read(real, one.column, encoder), len(base), generator)
        return _number_cells(part, drawn)
    values = [_cell(part, value) for value in _wanted(one)]
    return pl.Series(one.column, [values[k] for k in generator.integers(len(values), size=len(base))])


def _drawn(one: Limit, part: Number, real: Column, n: int, generator: np.random.Generator) -> Column:
    """(n,) valid numbers within the limit."""
    known = real[np.isfinite(real)]
    scale = float(known.std()) or abs(float(known.mean())) or 1.0
    low, high = _ends(one)
    if low > high:  # wraps: on either side of the gap, as far as real values go
        sides = [(low, max(low, known.max())), (min(high, known.min()), high)]
        upper = generator.uniform(size=n) < _share(sides)
        first, second = (_uniform(side, n, generator) for side in sides)
        return _inside(np.where(upper, first, second), one, part)
    if np.isfinite(low) and np.isfinite(high):
        return _inside(_uniform((low, high), n, generator), one, part)
    away = generator.exponential(scale, n)
    return _inside(low + away if np.isfinite(low) else high - away, one, part)


def _share(sides: list[tuple[float, float]]) -> float:
    lengths = [high - low for low, high in sides]
    return lengths[0] / sum(lengths) if sum(lengths) else 0.5


def _uniform(ends: tuple[float, float], n: int, generator: np.random.Generator) -> Column:
    return generator.uniform(*ends, n)


def _inside(drawn: Column, one: Limit, part: Number) -> Column:
    """Rounded as the column is, without leaving the limit."""
    if part.decimals is None:
        return drawn
    unit = 10.0**-part.decimals
    found = drawn.round(part.decimals)
    for step in (unit, -unit):  # rounding may have crossed a bound: step back over it
        found = np.where(_within(found, one), found, (drawn + step / 2).round(part.decimals))
    if not _within(found, one).all():
        ends = f"{_ends(one)[0]:g} and {_ends(one)[1]:g}"
        raise Infeasible(f"no value of {shown(one.column, 40)}, in steps of {unit:g}, lies between {ends}")
    return found


def _at_hours(one: Limit, part: Moment, series: pl.Series, generator: np.random.Generator) -> pl.Series:
    """The base rows' days at hours within the limit, to the minute."""
    low, high = max(_ends(one)[0], 0.0), min(_ends(one)[1], 24.0)
    length = (high - low) % 24 or 24.0
    hours = (low + generator.uniform(1 / 60, max(length - 1 / 60, 1 / 60), len(series))) % 24
    stamps = moments(series, part.form).to_physical().fill_null(part.fill).to_numpy().astype(np.int64)
    minutes = np.floor(hours * 60).astype(np.int64)
    found = pl.Series(series.name, stamps // (24 * HOUR) * 24 * HOUR + minutes * HOUR // 60).cast(pl.Datetime("us"))
    return found if part.form is None else found.dt.to_string(part.form)


def _hours(frame: pl.DataFrame, column: str, encoder: TableEncoder) -> Column:
    part = _part(encoder, column)
    form = part.form if isinstance(part, Moment) else None
    stamps = moments(frame[column], form).to_physical().cast(pl.Float64).fill_null(np.nan)
    return np.asarray(stamps.to_numpy() % (24 * HOUR) / HOUR)


def _read(frame: pl.DataFrame, column: str, encoder: TableEncoder) -> Column:
    part = _part(encoder, column)
    assert isinstance(part, Number)  # noqa: S101  `checked` saw to it
    values = truths(frame[column]) if part.truth else numbers(frame[column], part.style)
    return np.asarray(finite(values).cast(pl.Float64).fill_null(np.nan).to_numpy())


def _number_cells(part: AnyPart, found: Column) -> pl.Series:
    assert isinstance(part, Number)  # noqa: S101  `checked` saw to it
    rounded = found if part.decimals is None else found.round(part.decimals)
    cells = pl.Series(part.column, np.where(np.isfinite(rounded), rounded, np.nan)).fill_nan(None)
    if part.spelled is not None:
        return truth_of(part.column, np.nan_to_num(rounded) > 0.5, part.spelled)
    whole = part.decimals == 0 and float(cells.abs().max() or 0) < 2.0**53  # type: ignore[arg-type]  # a number
    return cells.cast(pl.Int64) if whole else cells


def _wanted(one: Constraint) -> tuple[Value, ...]:
    """The values of a condition that lists them."""
    if isinstance(one, OneOf):
        return one.values
    return (one.value,) if isinstance(one, Fixed) else ()


def _cell(part: AnyPart, value: Value) -> object:
    """The value as the column holds it.

    Raises:
        InputError: the column cannot hold it.
    """
    text = as_text(pl.Series([value]))
    if isinstance(part, Levels | Frequency):
        if text[0] not in set(part.levels):
            known = ", ".join(shown(level, 30) for level in part.levels[:10])
            raise InputError(f"{shown(part.column, 40)} is never {shown(value, 40)}; it is one of {known}")
        return text[0]
    if isinstance(part, Number):
        read = (truths if part.truth else numbers)(text if isinstance(value, str) else pl.Series([value]))[0]
        if read is None or not np.isfinite(read):
            raise InputError(f"{shown(part.column, 40)} holds numbers, and {shown(value, 40)} is none")
        return _number_cells(part, np.array([read]))[0]
    if isinstance(part, Moment):
        raise InputError(f"{shown(part.column, 40)} holds moments; bound its hour instead of fixing it")
    return text[0]


def _part(encoder: TableEncoder, column: str) -> AnyPart:
    part = encoder.part(column)
    if part is None:
        known = ", ".join(shown(name, 40) for name in dict.fromkeys(encoder.columns[:-1]))
        raise InputError(f"{shown(column, 40)} is no column that rows are described by; these are: {known}")
    return part


def _needs(kind: type, part: AnyPart, name: str, what: str) -> None:
    if not isinstance(part, kind):
        raise InputError(f"{shown(name, 40)} is not {what}; only {what} can be asked for like this")
