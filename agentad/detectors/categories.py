"""Several categories in one bank of neighbours: further coordinates by which those of two categories lie far apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from agentad.detectors.base import Ints

BEYOND = 4.0
"""Patches of two categories lie at least this many times the length of the longest patch apart: two of one category lie
at most twice that length apart."""


@dataclass(frozen=True)
class Apart:
    """One coordinate a category: `side` for patches of the category, 0 for all others.

    Within a category distances stay as they are, and a neighbour comes from another one only where the own has too few.
    Patches whose category is not told are equally far from all.
    """

    side: float
    count: int
    """How many categories there are."""

    @classmethod
    def of(cls, cells: NDArray[np.float32], categories: Ints) -> Self:
        """From training patches (n, ..., d) and the category (n,) of each item, 0 and up."""
        longest = float(np.sqrt(np.square(cells, dtype=np.float32).sum(axis=-1).max()))
        return cls(BEYOND * max(longest, 1e-6) / 2**0.5, int(np.max(categories)) + 1)

    def apply(self, cells: NDArray[np.float32], categories: Ints) -> NDArray[np.float32]:
        """Patches (n, ..., d) of items of the `categories` (n,), -1 where not told, as (n, ..., d + count)."""
        codes = np.vstack([np.eye(self.count), np.zeros(self.count)])[categories] * self.side  # -1 is the last row
        shaped = codes.astype(np.float32).reshape(len(cells), *[1] * (cells.ndim - 2), self.count)
        spread = np.broadcast_to(shaped, (*cells.shape[:-1], self.count))
        return np.concatenate([cells, spread], axis=-1, dtype=np.float32)
