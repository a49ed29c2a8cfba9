"""Categories: one column each while they are few, how common each is when they are many."""

from __future__ import annotations

from typing import Literal

import numpy as np
import polars as pl

from agentad.modalities.shown import shown
from agentad.modalities.table.parts.base import Allowed, Floats, Mask, Part, as_text, needs_flag

MAX_LEVELS = 32
"""Above it, categories are encoded by frequency."""
MAX_KEPT = 20_000
"""Levels whose frequency is stored; rarer ones count as unseen."""
ONCE_IS_RARE = 100
"""Training rows from which on a level seen once is `other`."""
NEVER = 10.0
"""A level seen in a share p of the rows lies 1/√p standard deviations out. One never seen should lie as far out as a
rare one, but detectors cannot scale a column that never varied, and take it as it is."""


class Levels(Part):
    """One encoded column per level and a last one for `other`: levels too rare in training, or never seen."""

    kind: Literal["levels"] = "levels"
    levels: tuple[str, ...]
    other: float = 1.0
    """What stands in the last column: `NEVER` where training had no rare level."""

    @property
    def width(self) -> int:
        """Levels and `other`."""
        return len(self.levels) + 1

    @property
    def categorical(self) -> bool:
        """They are."""
        return True

    def encode(self, series: pl.Series) -> tuple[Floats, Mask]:
        """See `Part.encode`. A missing value is none of the levels: all zeros."""
        text = as_text(series)
        places = {level: place for place, level in enumerate(self.levels)}
        place = text.replace_strict(places, default=len(self.levels), return_dtype=pl.Int64).to_numpy()
        missing = text.is_null().to_numpy()
        out = np.zeros((len(text), self.width), np.float32)
        worth = np.append(np.ones(len(self.levels), np.float32), self.other)
        at = place[~missing].astype(np.int64)
        out[np.flatnonzero(~missing), at] = worth[at]
        return out, missing

    def text(self, values: Floats) -> str:
        """The level with the largest part."""
        place = int(np.argmax(values))
        return shown(self.levels[place]) if place < len(self.levels) else "a rare value"

    def decode(self, values: Floats, allowed: Allowed, generator: np.random.Generator) -> pl.Series:
        """See `Part.decode`. `other` has no name: the largest part among the levels decides."""
        if not self.levels:
            return pl.Series(self.column, [None] * len(values), dtype=pl.String)
        return pl.Series(self.column, np.array(self.levels, dtype=object)[values[:, :-1].argmax(axis=1)], pl.String)


class Frequency(Part):
    """One encoded column: the logarithm of the share of training rows with the same level."""

    kind: Literal["frequency"] = "frequency"
    levels: tuple[str, ...]
    counts: tuple[int, ...]
    rows: int
    fill: float

    @property
    def width(self) -> int:
        """One."""
        return 1

    def encode(self, series: pl.Series) -> tuple[Floats, Mask]:
        """See `Part.encode`. One is added to counts, so that an unseen level is rare rather than impossible."""
        text = as_text(series)
        counts = dict(zip(self.levels, self.counts, strict=True))
        seen = text.replace_strict(counts, default=0, return_dtype=pl.Float64).to_numpy()
        missing = text.is_null().to_numpy()
        out = np.where(missing, self.fill, np.log((seen + 1) / (self.rows + 1)))
        return out[:, None], missing

    def text(self, values: Floats) -> str:
        """How common the value is."""
        count = np.exp(np.float64(values[0])) * (self.rows + 1) - 1
        return f"a value in {max(count, 0) / max(self.rows, 1):.2%} of the rows"

    def decode(self, values: Floats, allowed: Allowed, generator: np.random.Generator) -> pl.Series:
        """See `Part.decode`. One of the levels whose frequency is nearest."""
        if not self.levels:
            return pl.Series(self.column, [None] * len(values), dtype=pl.String)
        counts, first, size = np.unique(-np.array(self.counts), return_index=True, return_counts=True)
        known = np.log((-counts + 1.0) / (self.rows + 1))  # falling; levels are sorted by count, so equals are adjacent
        nearest = np.abs(values[:, :1].astype(np.float64) - known).argmin(axis=1)
        place = first[nearest] + generator.integers(size[nearest])
        return pl.Series(self.column, np.array(self.levels, dtype=object)[place], pl.String)


def levels_or_frequency(column: str, series: pl.Series) -> Levels | Frequency:
    """Learn the levels; above `MAX_LEVELS`, only how common they are."""
    counts = _counts(series)
    flag = needs_flag(series.is_null())
    if len(counts) > MAX_LEVELS:
        return _frequency(column, flag, counts)
    least = 2 if len(series) >= ONCE_IS_RARE else 1
    levels = tuple(level for level, count in counts if count >= least)
    return Levels(column=column, flag=flag, levels=levels, other=1.0 if len(levels) < len(counts) else NEVER)


def as_frequency(column: str, series: pl.Series) -> Frequency:
    """Learn only how common levels are, however few."""
    return _frequency(column, needs_flag(series.is_null()), _counts(series))


def _counts(series: pl.Series) -> list[tuple[str, int]]:
    """Levels with their counts, most frequent first, then by name."""
    found = as_text(series).drop_nulls().value_counts(sort=False).rows()
    return sorted(found, key=lambda pair: (-pair[1], pair[0]))


def _frequency(column: str, flag: bool, counts: list[tuple[str, int]]) -> Frequency:
    rows = sum(count for _, count in counts)
    kept = counts[:MAX_KEPT]
    each = np.repeat([count for _, count in counts], [count for _, count in counts]) if counts else np.zeros(1)
    return Frequency(
        column=column,
        flag=flag,
        levels=tuple(level for level, _ in kept),
        counts=tuple(count for _, count in kept),
        rows=rows,
        fill=float(np.log((np.median(each) + 1) / (rows + 1))),
    )
