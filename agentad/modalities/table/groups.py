"""Equal rows and equal columns, told by hashes.

Rows that are equal but for their identifier and label share a group, so that no split can part them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]


class CellHashes:
    """A 64-bit weighted sum of cells' hashes per row and per column, built chunk by chunk.

    Whether a column is an identifier is known only at the end, so the hashes of columns that may be one are held apart
    until they are released into the sum or dropped.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._weight = {name: _scattered(np.array([position]))[0] for position, name in enumerate(names)}
        self._rows = 0
        self._columns = {name: np.zeros(1, np.uint64) for name in names}
        self._sums: list[Hashes] = []
        self._held: dict[str, list[Hashes]] = {}

    def add(self, frame: pl.DataFrame, held: Sequence[str]) -> None:
        """One chunk. Columns in `held` stay apart; a column cannot go back to being held."""
        total = np.zeros(len(frame), np.uint64)
        place = _scattered(np.arange(self._rows, self._rows + len(frame)))
        for name, weight in self._weight.items():
            hashes = frame[name].hash(0).to_numpy()
            self._columns[name] += (hashes * place).sum()
            if name in held:
                self._held.setdefault(name, []).append(hashes)
            else:
                total += hashes * weight
        self._sums.append(total)
        self._rows += len(frame)
        for name in [name for name in self._held if name not in held]:
            self.release(name)

    def release(self, name: str) -> None:
        """Count a held column after all."""
        for total, hashes in zip(self._sums, self._held.pop(name), strict=False):  # the last chunk may be in already
            total += hashes * self._weight[name]

    def equals(self) -> list[list[str]]:
        """Names of columns with the same cell in every row, as sets of two or more in the order of the table."""
        found: dict[int, list[str]] = {}
        for name, total in self._columns.items():
            found.setdefault(int(total[0]), []).append(name)
        return [names for names in found.values() if len(names) > 1]

    def column(self, name: str) -> Hashes:
        """(n,) hashes of a held column."""
        return np.concatenate(self._held[name])

    def groups(self) -> NDArray[np.int64]:
        """(n,) numbers in order of first appearance, so that they do not depend on the hash. Drops what is held."""
        _, first, inverse = np.unique(np.concatenate(self._sums), return_index=True, return_inverse=True)
        rank = np.empty(len(first), np.int64)
        rank[np.argsort(first)] = np.arange(len(first))
        return rank[inverse]


def _scattered(places: NDArray[np.int64]) -> Hashes:
    """Weights for a sum modulo 2^64 that tells places apart: odd, and scattered over all 64 bits (SplitMix64).

    Small weights would not do: columns of two values make sums of few weights, and sums of small numbers meet.
    """
    with np.errstate(over="ignore"):
        z = (places.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return (z ^ (z >> np.uint64(31))) | np.uint64(1)
