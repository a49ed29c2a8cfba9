"""How rare the values of a row are, each by itself.

The values of one column plus Gaussian noise of deviation σ have a density that is known exactly, the diffusion model of
a single column: p(x) = mean_i N(x; x_i, σ²). A row's surprise is −Σ_j ln p_j(x_j). The row itself always counts as one
of the values, so that no density is 0 and rows that were learned from are treated as new ones.

Densities are kept on a grid: counts smoothed by the noise.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from agentad.detectors.base import Floats

NOISE = 0.05
"""σ, in standard deviations of a column."""
CELLS = 1024
FAR = 50.0
"""Standard deviations from the mean at which a value is cut."""
_ROOM = 1.0
"""Standard deviations that the grid goes beyond the values."""


@dataclass(frozen=True)
class ColumnDensities:
    """One density a column."""

    low: NDArray[np.float64]
    """(d,) where the grids begin."""
    width: NDArray[np.float64]
    """(d,) of their cells."""
    count: NDArray[np.float32]
    """(d, CELLS) rows learned from in each cell, after the noise."""
    own: NDArray[np.float32]
    """(d,) what a row adds to its own cell."""
    rows: NDArray[np.int64]
    """() how many were learned from."""

    @classmethod
    def fit(cls, z: Floats) -> Self:
        """Learn from rows z (n, d) in standard deviations of the columns."""
        z = np.clip(z, -FAR, FAR).astype(np.float64)
        low = z.min(axis=0) - _ROOM
        width = (z.max(axis=0) + _ROOM - low) / CELLS
        spread = np.maximum(NOISE / width, 0.5)
        one = np.zeros(CELLS)
        one[CELLS // 2] = 1
        count = [
            gaussian_filter1d(np.bincount(cells, minlength=CELLS).astype(float), s, mode="constant")
            for cells, s in zip(_cells(z, low, width).T, spread, strict=True)
        ]
        own = [gaussian_filter1d(one, s, mode="constant").max() for s in spread]
        return cls(low, width, np.array(count, np.float32), np.array(own, np.float32), np.array(len(z)))

    def surprise(self, z: Floats) -> NDArray[np.float64]:
        """−Σ ln p (m,) of rows z (m, d) that were not learned from, in nats. Higher = more anomalous."""
        cells = _cells(np.clip(z, -FAR, FAR), self.low, self.width)
        total = np.zeros(len(z))
        for j, (count, own, width) in enumerate(zip(self.count, self.own, self.width, strict=True)):
            total -= np.log((count[cells[:, j]] + own) / ((self.rows + 1) * width))
        return total

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Everything, for safetensors."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def _cells(z: Floats, low: Floats, width: Floats) -> NDArray[np.int64]:
    return np.clip((z - low) / width, 0, CELLS - 1).astype(np.int64)
