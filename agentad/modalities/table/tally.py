"""What one column holds, counted chunk by chunk over the whole file."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, replace

import polars as pl

from agentad.modalities.table.values import (
    FALSE,
    TRUE,
    Style,
    date_formats,
    finite,
    in_style,
    moments,
    numbers,
    surely_decimal,
)

DISTINCT = 10_000
"""Distinct values are counted up to here."""
EXAMPLES = 3
EXAMPLE_LENGTH = 40
_PROBED = 200


@dataclass(frozen=True)
class Spread:
    """The numbers among a column's values, under one spelling."""

    count: int = 0
    infinite: int = 0
    whole: bool = True
    low: float = math.inf
    high: float = -math.inf
    total: float = 0.0
    """Sum of value / 2^64, so that it cannot overflow."""

    def plus(self, values: pl.Series) -> Spread:
        """With the numbers of one more chunk; nulls are not numbers, infinities only counted."""
        infinite = int(values.is_infinite().sum())
        held = finite(values).drop_nulls() if infinite else values.drop_nulls()
        more = replace(self, count=self.count + len(held) + infinite, infinite=self.infinite + infinite)
        if not len(held):
            return more
        return replace(
            more,
            whole=self.whole and bool((held == held.floor()).all()),
            low=min(self.low, _number(held.min())),
            high=max(self.high, _number(held.max())),
            total=self.total + _number((held * 2.0**-64).sum()),
        )

    @property
    def mean(self) -> float:
        """Mean of the finite values."""
        return self.total / max(self.count - self.infinite, 1) * 2.0**64


class Tally:
    """Counts for one column."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.rows = self.values = 0
        self.distinct: pl.Series | None = None
        self.distinct_of = 0
        """Values looked at for `distinct`; fewer than all once `DISTINCT` is passed."""
        self.n_distinct = 0
        self.spread: dict[Style, Spread] = {"plain": Spread()}
        self.sure_decimals = 0
        self.truths = 0
        self.dates: Counter[str] | None = None
        self.is_datetime = self.is_boolean = self.is_text = False
        self.tokens = self.characters = 0
        self.odd: Counter[str] = Counter()
        self.unique = True
        """No missing value, and no value twice within a chunk; over chunks only hashes can tell."""
        self.examples: tuple[str, ...] = ()

    def update(self, series: pl.Series) -> None:
        """Count one chunk."""
        values = series.drop_nulls()
        self.rows += len(series)
        self.values += len(values)
        if len(values) < len(series):
            self.unique = False
        if not len(values):
            return
        self._count_distinct(values)
        if values.dtype == pl.Datetime:
            self.is_datetime = True
            self.unique = False
            return
        self.is_boolean |= values.dtype == pl.Boolean
        plain = numbers(values)
        if values.dtype == pl.String:
            self.is_text = True
            self._count_texts(values, plain)
        self.spread["plain"] = self.spread["plain"].plus(plain)
        if self.spread["plain"].count and not self.spread["plain"].whole:
            self.unique = False  # measurements are rarely equal; only whole numbers and codes can be identifiers

    @property
    def style(self) -> Style:
        """The spelling of the numbers: one comma that can only be a decimal one decides for all (as `number_style`)."""
        if self.sure_decimals:
            return "decimal-comma"
        return "thousands-comma" if "thousands-comma" in self.spread else "plain"

    @property
    def date_format(self) -> str | None:
        """The date format most values have; on a tie the first in `DATE_FORMATS`."""
        if not self.dates:
            return None
        return max(self.dates, key=lambda form: self.dates[form] if self.dates else 0)

    def _count_distinct(self, values: pl.Series) -> None:
        if not self.unique and self.n_distinct >= DISTINCT:
            return
        fresh = values.unique()
        if len(fresh) < len(values):
            self.unique = False
        if not self.examples:
            self.examples = tuple(_example(value) for value in values.head(1000).unique(maintain_order=True)[:EXAMPLES])
        if self.n_distinct < DISTINCT:
            self.distinct = fresh if self.distinct is None else pl.concat([self.distinct, fresh]).unique()
            self.n_distinct = len(self.distinct)
            self.distinct_of = self.values

    def _count_texts(self, values: pl.Series, plain: pl.Series) -> None:
        odd = values.filter(plain.is_null())
        commas = odd.filter(odd.str.contains(",", literal=True)) if len(odd) else odd
        if len(commas):
            self.sure_decimals += int(surely_decimal(commas).sum())
        for style in ("decimal-comma", "thousands-comma"):
            self._count_style(style, values, commas)
        if not len(odd):
            return
        self.truths += int(odd.str.to_lowercase().is_in(TRUE + FALSE).sum())
        self._count_dates(odd)
        self.characters += int(odd.str.len_chars().sum())
        self.tokens += int((odd.str.count_matches(r"\s+") + 1).sum())
        if len(self.odd) < EXAMPLES:
            self.odd.update(odd.head(EXAMPLES).to_list())

    def _count_style(self, style: Style, values: pl.Series, commas: pl.Series) -> None:
        if style not in self.spread:
            if not len(commas) or not in_style(commas, style).any():
                return
            self.spread[style] = self.spread["plain"]  # no earlier value was spelled like this
        self.spread[style] = self.spread[style].plus(numbers(values, style))

    def _count_dates(self, odd: pl.Series) -> None:
        if self.dates is None:
            probe = odd.unique(maintain_order=True).head(_PROBED)
            self.dates = Counter(dict.fromkeys(date_formats(probe), 0))
        for form in self.dates:
            self.dates[form] += moments(odd, form).count()


def _number(value: object) -> float:
    assert isinstance(value, int | float)  # noqa: S101  polars types minima as any Python value
    return float(value)


def _example(value: object) -> str:
    text = str(value)
    return text if len(text) <= EXAMPLE_LENGTH else text[: EXAMPLE_LENGTH - 1] + "…"
