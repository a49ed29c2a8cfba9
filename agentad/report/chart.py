"""The score distribution as numbers a template can draw: bars in percent of the width, so text keeps its size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, log10
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentad.report.text import count, number

Floats = NDArray[np.floating[Any]]
BINS = 48
HEAVY = 12.0
"""A tail is heavy when the largest score is this many times the 10–90 % spread above the median."""


@dataclass(frozen=True)
class Group:
    """Scores that are drawn together."""

    name: str
    style: str
    """CSS class of the bars."""
    scores: Floats


@dataclass(frozen=True)
class Bar:
    """One bin that holds something. `x` and `width` in percent of the axis, `height` 0 to 1 of the group's tallest."""

    x: float
    width: float
    height: float
    title: str


@dataclass(frozen=True)
class Band:
    """One group's own histogram and the numbers beside it."""

    name: str
    style: str
    n: int
    median: float
    q95: float
    above: int
    bars: tuple[Bar, ...]


@dataclass(frozen=True)
class Chart:
    """Everything there is to draw. Positions in percent of the width."""

    bands: tuple[Band, ...]
    ticks: tuple[tuple[float, str], ...]
    threshold: float
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Axis:
    """The scores from `low` to `high`, linear or logarithmic."""

    low: float
    high: float
    log: bool = False

    def place(self, scores: Floats) -> Floats:
        """Position from 0 to 1; what lies beyond an end is put on it."""
        bounded = np.clip(scores, self.low, self.high)
        if self.log:
            return np.asarray(np.log(bounded / self.low) / np.log(self.high / self.low))
        return np.asarray((bounded - self.low) / (self.high - self.low))

    def score(self, position: float) -> float:
        """The score at a position from 0 to 1."""
        if self.log:
            return float(self.low * (self.high / self.low) ** position)
        return self.low + position * (self.high - self.low)


def chart(groups: Sequence[Group], threshold: float) -> Chart:
    """Histograms of the groups over one axis that keeps the bulk readable. Empty groups are left out."""
    filled = [g for g in groups if len(g.scores)]
    pooled = np.concatenate([np.asarray(g.scores, float) for g in filled] + [np.array([threshold])])
    axis = _axis(pooled, threshold)
    bands = tuple(_band(g, axis, threshold) for g in filled)
    place = float(axis.place(np.array([threshold]))[0])
    return Chart(bands, _ticks(axis), round(100 * place, 2), _notes(pooled, axis))


def _axis(scores: Floats, threshold: float) -> Axis:
    low, high = float(scores.min()), float(scores.max())
    q10, median, q90 = (float(q) for q in np.quantile(scores, (0.1, 0.5, 0.9)))
    spread = max(q90 - q10, 1e-12 * max(abs(low), abs(high), 1.0))
    heavy = high - median > HEAVY * spread
    if heavy and low > 0:
        bottom = max(low, min(float(np.quantile(scores, 0.005)), threshold) / 3)
        return Axis(bottom, high * 1.02, log=True)
    if heavy:
        high = max(threshold + spread, q90 + 6 * spread)
    pad = 0.02 * (high - low) or 0.5
    # Scores that cannot be negative should not seem to be.
    return Axis(max(low - pad, 0.0) if low >= 0 else low - pad, high + pad)


def _band(group: Group, axis: Axis, threshold: float) -> Band:
    scores = np.asarray(group.scores, float)
    bins = np.minimum((axis.place(scores) * BINS).astype(int), BINS - 1)
    held = np.bincount(bins, minlength=BINS)
    bars = tuple(_bar(i, int(n), n / held.max(), axis) for i, n in enumerate(held) if n)
    above = int((scores > threshold).sum())
    median, q95 = (float(q) for q in np.quantile(scores, (0.5, 0.95)))
    return Band(group.name, group.style, len(scores), median, q95, above, bars)


def _bar(i: int, n: int, height: float, axis: Axis) -> Bar:
    span = f"{number(axis.score(i / BINS))} to {number(axis.score((i + 1) / BINS))}"
    return Bar(round(100 * i / BINS, 3), round(100 / BINS, 3), round(float(height), 4), f"{span}: {n:,}")


def _ticks(axis: Axis) -> tuple[tuple[float, str], ...]:
    values = _decades(axis) if axis.log else _steps(axis)
    return tuple((round(100 * float(axis.place(np.array([v]))[0]), 2), number(v)) for v in values)


def _steps(axis: Axis) -> list[float]:
    """About five round numbers: 1, 2 or 5 times a power of ten apart."""
    rough = (axis.high - axis.low) / 5
    power = 10.0 ** floor(log10(rough))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough * 0.999)
    return [float(f"{i * step:.12g}") for i in range(ceil(axis.low / step), floor(axis.high / step) + 1)]


def _decades(axis: Axis) -> list[float]:
    """Powers of ten, with 2 and 5 times them where there are few."""
    first, last = floor(log10(axis.low)), ceil(log10(axis.high))
    stride = max(1, (last - first) // 6)
    factors = (1, 2, 5) if last - first <= 2 else (1,)
    values = [f * 10.0**p for p in range(first, last + 1, stride) for f in factors]
    return [v for v in values if axis.low <= v <= axis.high]


def _notes(scores: Floats, axis: Axis) -> tuple[str, ...]:
    high, low = int((scores > axis.high).sum()), int((scores < axis.low).sum())
    notes = ["The scale is logarithmic."] if axis.log else []
    if high:
        beyond = f"{count(high, 'score')} above {number(axis.high)} (up to {number(float(scores.max()))})"
        notes.append(f"The last bar holds {beyond}.")
    if low:
        notes.append(f"The first bar holds {count(low, 'score')} below {number(axis.low)}.")
    return tuple(notes)
