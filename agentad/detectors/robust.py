"""Putting columns, and scores, on a common scale."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agentad.detectors.base import Floats
from agentad.memory.neighbours import LIMIT

_SAME = 1e-6
"""A spread this small beside the column's centre, or beside another measure of spread, is rounding."""


@dataclass(frozen=True)
class Scaling:
    """Columns (d,) to a common unit and back."""

    centre: NDArray[np.float64]
    scale: NDArray[np.float64]

    def apply(self, x: Floats) -> NDArray[np.float32]:
        """Rows (n, d) in scale units from the centre; absurd magnitudes are cut to what can still be squared."""
        return np.asarray(np.clip((x - self.centre) / self.scale, -LIMIT, LIMIT), dtype=np.float32)

    def undo(self, u: Floats) -> NDArray[np.float32]:
        """Scaled rows (n, d) in the columns' own units."""
        return as_float32(u * self.scale + self.centre)


def scalings(x: Floats) -> tuple[Scaling, Scaling]:
    """Mean and standard deviation; median and interquartile range. Of the rows x (n, d), column by column.

    The standard deviation stands in for an interquartile range below a tenth of it (columns that mostly repeat one
    value), and the magnitude of the value for both where a column is constant.
    """
    z, q = [], []
    for j in range(x.shape[1]):
        column = x[:, j].astype(np.float64)
        mean, std = float(column.mean()), float(column.std())
        if std <= _SAME * abs(mean):
            std = abs(mean) or 1.0
        low, median, high = (float(v) for v in np.quantile(column, (0.25, 0.5, 0.75)))
        z.append((mean, std))
        q.append((median, high - low if high - low >= 0.1 * std else std))
    return _scaling(z), _scaling(q)


def _scaling(columns: list[tuple[float, float]]) -> Scaling:
    table = np.array(columns, dtype=np.float64)
    return Scaling(table[:, 0].copy(), table[:, 1].copy())


def centre_and_spread(scores: Floats) -> tuple[Floats, Floats]:
    """Median of each column of scores (n, m), and the way from there to its 95 % quantile: (m,), (m,).

    Where that way is next to nothing the standard deviation stands in, and then 1, so that it can divide.
    """
    s = np.asarray(scores, dtype=np.float64)
    median = np.median(s, axis=0)
    spread = np.quantile(s, 0.95, axis=0) - median
    std = s.std(axis=0)
    return median, np.where(spread > _SAME * std, spread, np.where(std > 0, std, 1.0))


def as_float32(x: Floats) -> NDArray[np.float32]:
    """Values x as float32, those beyond its range cut to its largest."""
    largest = np.finfo(np.float32).max
    return np.asarray(np.clip(x, -largest, largest), dtype=np.float32)
