"""Distance to the nearest remembered normals: the baseline that every learned detector has to beat.

For image patches this is PatchCore (https://arxiv.org/abs/2106.08265) on patch features as the encoder gives them,
without its neighbourhood averages and its reweighted image score. What is remembered is a random subset of the training
patches or, with `coreset`, PatchCore's greedy one. For table rows it is the mean distance to the k nearest rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from agentad.detectors.base import Floats, Ints, Scores, State
from agentad.detectors.coreset import k_centres
from agentad.detectors.fair_columns import fair_scalings
from agentad.detectors.pooling import top_mean
from agentad.detectors.robust import Scaling
from agentad.errors import InputError
from agentad.memory.clusters import ClusteredNeighbours
from agentad.memory.neighbours import Neighbours
from agentad.modalities.table.layout import Layout

CENTRES = "centres"
"""Name of the clusters in a detector's state. Without them the same entries are searched exactly."""
MOST_EXACT = 20_000
"""Patches beyond which a bank is searched by clusters. Rows of tables are always searched exactly."""


@dataclass(frozen=True)
class Nearest:
    """For each patch (or row) its nearest remembered normal."""

    item: NDArray[np.int64]
    """(n, h, w) or (n,): index of the training item that the neighbour comes from."""
    cell: NDArray[np.int64]
    """Index of the neighbour in its item's grid, row by row from the top left; 0 for rows."""
    distance: Floats


class MemoryBank:
    """Score = distance to the nearest entries of a random subset of the training patches or rows.

    Args:
        neighbours: the score is the mean distance to this many.
        size: entries remembered at most.
        pool: an image's score is the mean of this many highest patches.
        coreset: entries are chosen one by one, each the farthest from those before, instead of at random.
    """

    uses_layout = True

    held_out: Scores
    _scaling: Scaling | None = None
    """Rows are compared in `fair_columns` units; patch features come on one scale."""

    def __init__(self, *, neighbours: int = 1, size: int = 8000, pool: int = 4, coreset: bool = False) -> None:
        self.neighbours = neighbours
        self.size = size
        self.pool = pool
        self.coreset = coreset

    def fit(self, x: Floats, *, groups: Ints | None = None, seed: int = 0, layout: Layout | None = None) -> Self:
        """Remember patches of `x` (n, h, w, c) or rows of `x` (n, d).

        Raises:
            InputError: fewer than two groups, so that no item can be judged by the others.
        """
        groups = np.arange(len(x)) if groups is None else np.asarray(groups)
        if len(np.unique(groups)) < 2:
            raise InputError(
                f"a memory bank needs items of at least 2 groups, got {len(x)} items of 1. Add normal items."
            )
        if x.ndim == 2:
            self._scaling = fair_scalings(x, layout)[0]
            x = self._scaling.apply(x)
        self.remember(x, groups, seed)
        self.held_out = self._scores(x, groups)
        return self

    def remember(self, x: Floats, groups: Ints, seed: int) -> None:
        """`fit` without `held_out`: choose entries of patches (n, h, w, c) or scaled rows (n, d)."""
        picked = self._pick(_rows(x), np.random.default_rng(seed))
        clustered = x.ndim > 2 and len(picked) > MOST_EXACT
        self._remember(_rows(x)[picked], *np.divmod(picked, _per_item(x)), groups, clustered=clustered)

    def score(self, x: Floats) -> Scores:
        """Distances of `x`, which has the layout seen by `fit`."""
        return self._scores(x if self._scaling is None else self._scaling.apply(x))

    def nearest(self, x: Floats) -> Nearest:
        """The nearest remembered normal of each patch or row of `x`, to show beside it."""
        distance, entry = self.search(x if self._scaling is None else self._scaling.apply(x), 1)
        return Nearest(self._item[entry[..., 0]], self._cell[entry[..., 0]], distance[..., 0])

    def search(self, x: Floats, k: int, *, groups: Ints | None = None) -> tuple[Floats, Ints]:
        """Distances and entries, both (n, ..., k), of the nearest entries of each patch or scaled row.

        With `groups` (n,), entries of an item's own group do not count; places left empty hold infinity and -1.

        Raises:
            InputError: no entry counts for some item.
        """
        own = None if groups is None else np.repeat(groups, _per_item(x))
        distance, entry = self._entries.search(_rows(x), k, leave_out=own)
        if not np.isfinite(distance[:, 0]).all():
            raise InputError("one group holds the whole memory bank, so nothing can judge it. Give smaller groups.")
        return distance.reshape(*x.shape[:-1], k), entry.reshape(*x.shape[:-1], k)

    def at_entries(self, local: Floats) -> Floats:
        """The values of a map of the training items (n, h, w) at the places that the entries (m,) came from."""
        values: Floats = local.reshape(len(local), -1)[self._item, self._cell]
        return values

    def state(self) -> State:
        """The entries and where each came from."""
        arrays: dict[str, NDArray[Any]] = {"vectors": self._entries.references, "item": self._item, "cell": self._cell}
        if isinstance(self._entries, ClusteredNeighbours):
            arrays[CENTRES] = self._entries.centres
        if self._scaling is not None:
            arrays |= {"centre": self._scaling.centre, "scale": self._scaling.scale}
        return State(arrays, self.settings())

    def settings(self) -> dict[str, Any]:
        """The constructor's parameters."""
        return {name: getattr(self, name) for name in ("neighbours", "size", "pool", "coreset")}

    @classmethod
    def restore(cls, state: State) -> Self:
        """The bank that `state` came from."""
        bank = cls(**state.settings)
        entries, centres = (state.arrays[name] for name in ("vectors", "item", "cell")), state.arrays.get(CENTRES)
        bank._remember(*entries, clustered=centres is not None, centres=centres)
        if "centre" in state.arrays:
            bank._scaling = Scaling(state.arrays["centre"], state.arrays["scale"])
        return bank

    def _pick(self, rows: Floats, rng: np.random.Generator) -> Ints:
        """The rows to remember: a coreset, or some at random."""
        if self.coreset:
            return k_centres(rows, self.size, rng)
        return np.sort(rng.choice(len(rows), min(self.size, len(rows)), replace=False))

    def _remember(
        self,
        vectors: Floats,
        item: Ints,
        cell: Ints,
        groups: Ints | None = None,
        *,
        clustered: bool = False,
        centres: NDArray[np.float32] | None = None,
    ) -> None:
        self._item = item.astype(np.int64)
        self._cell = cell.astype(np.int64)
        own = None if groups is None else groups[item]
        self._entries: Neighbours | ClusteredNeighbours = (
            ClusteredNeighbours(vectors, groups=own, centres=centres) if clustered else Neighbours(vectors, groups=own)
        )

    def _scores(self, x: Floats, groups: Ints | None = None) -> Scores:
        distance, entry = self.search(x, min(self.neighbours, len(self._entries)), groups=groups)
        filled = int(np.isfinite(distance).sum(axis=-1).min())  # neighbours that every query has
        score = distance[..., :filled].mean(axis=-1, dtype=np.float64)
        if x.ndim > 2:
            return Scores(top_mean(score, self.pool), score)
        expected = self._entries.references[entry[:, :filled]].mean(axis=1)
        own_units = expected if self._scaling is None else self._scaling.undo(expected)
        return Scores(score, (x - expected) ** 2, own_units)


def _per_item(x: Floats) -> int:
    """Patches of an item: 1 for rows."""
    return int(np.prod(x.shape[1:-1]))


def _rows(x: Floats) -> Floats:
    """(n, ..., c) to (n * patches, c)."""
    return x.reshape(-1, x.shape[-1])
