"""Rows that are equal but for their identifier and label share a group, so that no split can part them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]


class RowHashes:
    """A 64-bit sum per row of its cells' hashes, built chunk by chunk.

    Whether a column is an identifier is known only at the end, so the hashes of columns that may be one are held apart
    until they are released into the sum or dropped.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._seed = {name: position for position, name in enumerate(names)}
        self._sums: list[Hashes] = []
        self._held: dict[str, list[Hashes]] = {}

    def add(self, frame: pl.DataFrame, held: Sequence[str]) -> None:
        """One chunk. Columns in `held` stay apart; a column cannot go back to being held."""
        total = np.zeros(len(frame), np.uint64)
        for name, seed in self._seed.items():
            hashes = frame[name].hash(seed).to_numpy()
            if name in held:
                self._held.setdefault(name, []).append(hashes)
            else:
                total += hashes
        self._sums.append(total)
        for name in [name for name in self._held if name not in held]:
            self.release(name)

    def release(self, name: str) -> None:
        """Count a held column after all."""
        for total, hashes in zip(self._sums, self._held.pop(name), strict=False):  # the last chunk may be in already
            total += hashes

    def column(self, name: str) -> Hashes:
        """(n,) hashes of a held column."""
        return np.concatenate(self._held[name])

    def groups(self) -> NDArray[np.int64]:
        """(n,) numbers in order of first appearance, so that they do not depend on the hash. Drops what is held."""
        _, first, inverse = np.unique(np.concatenate(self._sums), return_index=True, return_inverse=True)
        rank = np.empty(len(first), np.int64)
        rank[np.argsort(first)] = np.arange(len(first))
        return rank[inverse]
