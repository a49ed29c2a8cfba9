"""Distances to the rows that survive cleaning: for training data that may hold anomalies.

Under each of two scalings of the columns (mean and standard deviation; median and interquartile range):

1. A first score: the mean, over 50 random subsamples of 32 rows, of the distance to the nearest row of the subsample.
   Few anomalies enter any one subsample, so that scattered ones and small crowds cannot vouch for each other. (A crowd
   of a tenth of all rows that is denser than the normals can: no neighbour distance tells it from them.)
2. Keep the 70 % of rows with the lowest first scores.
3. The distance of a row: its mean distance to the ten nearest kept rows, where a training row leaves out itself and
   its group.

    score = geometric mean over the scalings of (distance / median distance of the cleaned rows)

Each distance splits exactly into columns, mean_i (x_j − x_ij)² / ‖x − x_i‖ over the neighbours i. A column's
contribution is its share, averaged over the scalings, of the score: the contributions sum to the score. The expected
row is the empirical denoiser's, D_h over the same neighbours with h the median distance.

Nearest neighbours in subsamples: Sugiyama and Borgwardt 2013 (NeurIPS), "Rapid distance-based outlier detection via
sampling".
"""

from __future__ import annotations

import math
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from agentad.detectors.base import Floats, Ints, Scores, State
from agentad.detectors.fair_columns import fair_scalings
from agentad.detectors.nearest_rows import NEAREST, batches, kernel, mean_distance, typical_distance
from agentad.detectors.robust import Scaling, as_float32
from agentad.errors import InputError
from agentad.memory.neighbours import Floats32, Neighbours
from agentad.modalities.table.layout import Layout

SUBSAMPLES, SUBSAMPLE = 50, 32


class SelfCleaning:
    """Distance to the rows that remain when the training data are cleaned. Encoded rows are (n, d), unscaled.

    Args:
        references: most training rows that are cleaned and kept from, drawn at random where there are more.
        keep: share of rows taken to be normal.
    """

    uses_layout = True

    held_out: Scores
    """The training rows' own scores, against kept rows of other groups."""

    def __init__(self, *, references: int = 7000, keep: float = 0.7) -> None:
        self.references = references
        self.keep = keep

    def fit(self, x: Floats, *, groups: Ints | None = None, seed: int = 0, layout: Layout | None = None) -> Self:
        """Clean the rows x (n, d) and score them all.

        Raises:
            InputError: fewer than two rows, or what is kept is of a single group.
        """
        groups = np.arange(len(x)) if groups is None else np.asarray(groups)
        generator = np.random.default_rng(seed)
        chosen = np.sort(generator.permutation(len(x))[: self.references])
        own = groups[chosen]
        self._rows = np.asarray(x[chosen], dtype=np.float32)
        self.scalings = list(fair_scalings(x, layout))
        scaled = [scaling.apply(self._rows) for scaling in self.scalings]
        self._kept = np.stack([clean(u, own, keep=self.keep, generator=generator) for u in scaled])
        self._set_neighbours(own)
        self._typical = np.array(
            [
                typical_distance(nb.search(u, NEAREST, leave_out=own)[0])
                for u, nb in zip(scaled, self._neighbours, strict=True)
            ]
        )
        self.held_out = self._judge(x, groups)
        return self

    def score(self, x: Floats) -> Scores:
        """Scores of rows (m, d), each column's contribution, and the denoised row."""
        return self._judge(x, None)

    def _set_neighbours(self, groups: Ints | None) -> None:
        self._neighbours = [
            Neighbours(scaling.apply(self._rows[kept]), groups=None if groups is None else groups[kept])
            for scaling, kept in zip(self.scalings, self._kept, strict=True)
        ]

    def _judge(self, x: Floats, leave_out: Ints | None) -> Scores:
        item = np.ones(len(x))
        local, expected = np.zeros(x.shape, dtype=np.float32), np.zeros(x.shape, dtype=np.float32)
        views = list(zip(self.scalings, self._neighbours, self._typical, strict=True))
        for at in batches(x):
            for scaling, neighbours, h in views:
                u = scaling.apply(x[at])
                distances, indices = neighbours.search(
                    u, NEAREST, leave_out=None if leave_out is None else leave_out[at]
                )
                near = neighbours.references[indices]
                item[at] *= (mean_distance(distances) / h) ** (1 / len(views))
                local[at] += column_shares(u, near, distances) / len(views)
                cleaned = (kernel(distances, h)[:, None, :] @ near)[:, 0]
                expected[at] += scaling.undo(cleaned) / len(views)
            local[at] = as_float32(local[at] * item[at, None])
        return Scores(item=item, local=local, expected=expected)

    def state(self) -> State:
        """Rows in the encoder's units, which of them are kept under each scaling, scalings and typical distances."""
        arrays: dict[str, NDArray[Any]] = {
            "rows": self._rows,
            "kept": self._kept,
            "centre": np.stack([scaling.centre for scaling in self.scalings]),
            "scale": np.stack([scaling.scale for scaling in self.scalings]),
            "typical": self._typical,
        }
        return State(arrays=arrays, settings={"references": self.references, "keep": self.keep})

    @classmethod
    def restore(cls, state: State) -> Self:
        """The detector that `state` came from, without `held_out`."""
        a = state.arrays
        self = cls(**state.settings)
        self.scalings = [Scaling(c, s) for c, s in zip(a["centre"], a["scale"], strict=True)]
        self._rows, self._kept, self._typical = a["rows"], a["kept"], a["typical"]
        self._set_neighbours(None)
        return self


def clean(u: Floats32, groups: Ints, *, keep: float, generator: np.random.Generator) -> NDArray[np.int64]:
    """Which of the scaled rows u (n, d) are kept: (m,), ascending.

    Raises:
        InputError: the kept rows are of a single group, so that they cannot judge each other.
    """
    first = subsampled_distance(u, groups, generator)
    kept = np.sort(np.argsort(first, kind="stable")[: math.ceil(keep * len(u))])
    if len(np.unique(groups[kept])) < 2:
        raise InputError(f"{len(u)} rows, nearly all of one source, cannot judge each other; give more sources")
    return kept


def subsampled_distance(u: Floats32, groups: Ints, generator: np.random.Generator) -> Floats:
    """Mean over subsamples of the distance from a row of u (n, d) to the nearest sampled one of another group: (n,)."""
    nearest = []
    for _ in range(SUBSAMPLES):
        sample = np.sort(generator.permutation(len(u))[:SUBSAMPLE])
        nearest.append(Neighbours(u[sample], groups=groups[sample]).search(u, 1, leave_out=groups)[0])
    return mean_distance(np.concatenate(nearest, axis=1))


def column_shares(u: Floats32, near: Floats32, distances: Floats32) -> Floats:
    """Columns' shares (m, d) of the mean distance of rows u (m, d) to neighbours near (m, k, d); 0 without distance."""
    usable = np.isfinite(distances) & (distances > 0)
    weights = np.divide(1, distances, out=np.zeros_like(distances), where=usable)
    parts = np.einsum("nkd,nk->nd", (near - u[:, None, :]) ** 2, weights)
    total = parts.sum(axis=1, keepdims=True)
    return np.asarray(np.divide(parts, total, out=np.zeros_like(parts), where=total > 0))
