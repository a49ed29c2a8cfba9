"""Features to the few directions in which normal data varies, on nearly equal scales."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from agentad.detectors.base import Floats

FLOOR = 1e-12
"""Least variance of a direction, for data that does not vary at all."""


@dataclass(frozen=True)
class Whitening:
    """Principal components scaled by eigenvalue^-power, then divided by their overall standard deviation.

    `power` 0 is plain PCA, 0.5 full whitening. In between, rare directions count more without letting noise rule.
    """

    mean: NDArray[np.float32]
    """(c,)"""
    matrix: NDArray[np.float32]
    """(c, k)"""

    @classmethod
    def fit(cls, rows: Floats, *, components: int, power: float) -> Self:
        """Learn from rows (n, c). Keeps fewer than `components` where the data has fewer directions."""
        rows = rows.astype(np.float32)
        mean = rows.mean(axis=0)
        centred = rows - mean
        values, vectors = np.linalg.eigh((centred.T @ centred / len(rows)).astype(np.float64))
        values, vectors = np.maximum(values[::-1], FLOOR), vectors[:, ::-1]
        keep = max(1, min(components, int((values > 1e-7 * values[0]).sum())))
        scaled = values[:keep] ** -power
        overall = np.sqrt((values[:keep] * scaled**2).mean())  # standard deviation over all kept directions
        return cls(mean, (vectors[:, :keep] * (scaled / overall)).astype(np.float32))

    def apply(self, x: Floats) -> NDArray[np.float32]:
        """(n, ..., c) to (n, ..., k). One item after the other, so that none depends on its company."""
        offset = self.mean @ self.matrix
        out = np.empty((*x.shape[:-1], self.matrix.shape[1]), np.float32)
        for item, target in zip(x, out, strict=True):
            np.subtract(item.astype(np.float32) @ self.matrix, offset, out=target)
        return out
