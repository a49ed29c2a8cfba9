"""Arithmetic on columns in a closed grammar, parsed here and never handed to an interpreter.

::

    sum     = product (("+" | "-") product)*
    product = sign (("*" | "/") sign)*
    sign    = "-" sign | atom
    atom    = number | column | "(" sum ")"
    column  = letters, digits and _ without quotes; any name within "double quotes"
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agentad.errors import InputError
from agentad.modalities.shown import shown

Column = NDArray[np.float64]
Values = Mapping[str, Column]
LONGEST = 1000
"""Characters; bounds how deep brackets nest."""

_TOKEN = re.compile(r'\s*(?:(\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+)|"([^"]+)"|([^\W\d]\w*)|([-+*/()]))')
_OPERATORS: dict[str, Callable[[Column, Column], Column]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}


@dataclass(frozen=True)
class Expression:
    """What was parsed."""

    text: str
    columns: tuple[str, ...]
    """Names in order of appearance."""
    _value: Callable[[Values], Column]

    def __call__(self, columns: Values) -> Column:
        """(n,) from the columns (n,). Dividing by zero gives infinity or NaN."""
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            return np.asarray(self._value(columns), dtype=np.float64)


def parse(text: str) -> Expression:
    """The expression in `text`.

    Raises:
        InputError: it is not one, or is longer than `LONGEST` characters.
    """
    if len(text) > LONGEST:
        raise InputError(f"expression {shown(text, 80)}: longer than {LONGEST:,} characters; split it over columns")
    parser = _Parser(text)
    try:
        value = parser.sum()
        parser.end()
    except RecursionError as error:
        raise InputError(f"expression {shown(text, 80)}: nested too deeply; leave brackets out") from error
    return Expression(text, tuple(dict.fromkeys(parser.columns)), value)


class _Parser:
    def __init__(self, text: str) -> None:
        self._text, self._at = text, 0
        self.columns: list[str] = []

    def sum(self) -> Callable[[Values], Column]:
        return self._chain("+-", self._product)

    def end(self) -> None:
        if self._text[self._at :].strip():
            raise self._wrong()

    def _product(self) -> Callable[[Values], Column]:
        return self._chain("*/", self._sign)

    def _chain(self, symbols: str, part: Callable[[], Callable[[Values], Column]]) -> Callable[[Values], Column]:
        left = part()
        while symbol := self._take(symbols):
            left = _joined(_OPERATORS[symbol], left, part())
        return left

    def _sign(self) -> Callable[[Values], Column]:
        if self._take("-"):
            inner = self._sign()
            return lambda values: -inner(values)
        return self._atom()

    def _atom(self) -> Callable[[Values], Column]:
        match = _TOKEN.match(self._text, self._at)
        if match is None or match[4] not in (None, "("):
            raise self._wrong()
        self._at = match.end()
        if match[1] is not None:
            number = np.float64(match[1])
            return lambda values: number  # type: ignore[return-value]  # broadcasts
        if match[4] is None:
            name = match[2] or match[3]
            self.columns.append(name)
            return lambda values: values[name]
        inner = self.sum()
        if not self._take(")"):
            raise self._wrong()
        return inner

    def _take(self, symbols: str) -> str | None:
        match = _TOKEN.match(self._text, self._at)
        if match is None or match[4] is None or match[4] not in symbols:
            return None
        self._at = match.end()
        return match[4]

    def _wrong(self) -> InputError:
        rest = shown(self._text[self._at :].strip() or "the end", 40)
        return InputError(
            f"expression {shown(self._text, 80)}: cannot go on at {rest}; numbers, columns, + - * / and brackets are "
            "understood, other names within double quotes"
        )


def _joined(
    symbol: Callable[[Column, Column], Column], left: Callable[[Values], Column], right: Callable[[Values], Column]
) -> Callable[[Values], Column]:
    return lambda values: symbol(left(values), right(values))
