"""Distances to the rows that survive cleaning: for training data that may hold anomalies.

Under each of two scalings of the columns (mean and standard deviation; median and interquartile range):

1. A first score: the mean, over 50 random subsamples of 128 rows, of the distance to the nearest row of the subsample.
   Few anomalies enter any one subsample, so they cannot vouch for each other.
2. Three times: keep the 70 % of rows with the lowest scores; score every row by its mean distance to the thirty nearest
   kept rows, where a kept row leaves out itself and its group.

    score = Σ over scalings of (distance − median) / (75 % quantile − median)

with the statistics of the rows that were cleaned. A column's contribution is its part of the mean distance,
mean_i (x_j − x_ij)² / ‖x − x_i‖ over the neighbours i: the contributions sum to the score up to a constant. The expected
row is the empirical denoiser's, D_h at h = b over the same neighbours.

Nearest neighbours in subsamples: Sugiyama and Borgwardt 2013 (NeurIPS), "Rapid distance-based outlier detection via
sampling". Keeping the closest and scoring again is the concentration step of Rousseeuw and Van Driessen 1999.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from agentad.detectors.base import Floats, Ints, Scores, State
from agentad.detectors.empirical_denoiser import kernel, typical_distance
from agentad.detectors.robust import Scaling, centre_and_spread, scalings
from agentad.errors import InputError
from agentad.memory.neighbours import Floats32, Neighbours

SUBSAMPLES, SUBSAMPLE = 50, 128
NEAREST = 30
ROUNDS = 3
_UPPER = 0.75
"""Quantile that sets the unit of the distances: low enough that anomalies are above it."""
_BATCH_VALUES = 1 << 19
"""Neighbour coordinates held at once: few enough to stay in the processor's cache."""


class SelfCleaning:
    """Distance to the rows that remain when the training data are cleaned. Encoded rows are (n, d), unscaled.

    Args:
        references: most training rows that are cleaned and kept from, drawn at random where there are more.
        keep: share of rows taken to be normal.
    """

    held_out: Scores
    """The training rows' own scores, against kept rows of other groups."""

    def __init__(self, *, references: int = 7000, keep: float = 0.7) -> None:
        self.references = references
        self.keep = keep

    def fit(self, x: Floats, *, groups: Ints | None = None, seed: int = 0) -> Self:
        """Clean the rows x (n, d) and score them all.

        Raises:
            InputError: fewer than two rows, or what is kept is of a single group.
        """
        groups = np.arange(len(x)) if groups is None else np.asarray(groups)
        generator = np.random.default_rng(seed)
        chosen = np.sort(generator.permutation(len(x))[: self.references])
        own = groups[chosen]
        self._rows = np.asarray(x[chosen], dtype=np.float32)
        self._scalings = list(scalings(x))
        cleaned = [clean(s.apply(self._rows), own, keep=self.keep, generator=generator) for s in self._scalings]
        self._kept = np.stack([kept for kept, _ in cleaned])
        self._median, self._spread = centre_and_spread(np.stack([d for _, d in cleaned], axis=1), _UPPER)
        self._set_neighbours(own)
        self._typical = np.array(
            [
                typical_distance(nb.search(nb.references, 5, leave_out=own[kept])[0])
                for nb, kept in zip(self._neighbours, self._kept, strict=True)
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
            for scaling, kept in zip(self._scalings, self._kept, strict=True)
        ]

    def _judge(self, x: Floats, leave_out: Ints | None) -> Scores:
        item = np.zeros(len(x))
        local, expected = np.zeros(x.shape, dtype=np.float32), np.zeros(x.shape, dtype=np.float32)
        for at in _batches(x):
            out = None if leave_out is None else leave_out[at]
            for v, (scaling, neighbours) in enumerate(zip(self._scalings, self._neighbours, strict=True)):
                u = scaling.apply(x[at])
                distances, indices = neighbours.search(u, NEAREST, leave_out=out)
                near = neighbours.references[indices]
                item[at] += (mean_distance(distances) - self._median[v]) / self._spread[v]
                local[at] += column_parts(u, near, distances) / self._spread[v]
                cleaned = (kernel(distances, self._typical[v])[:, None, :] @ near)[:, 0]
                expected[at] += scaling.undo(cleaned) / len(self._scalings)
        return Scores(item=item, local=local, expected=expected)

    def state(self) -> State:
        """Rows in the encoder's units, which of them are kept under each scaling, scalings and statistics."""
        arrays: dict[str, NDArray[Any]] = {
            "rows": self._rows,
            "kept": self._kept,
            "centre": np.stack([scaling.centre for scaling in self._scalings]),
            "scale": np.stack([scaling.scale for scaling in self._scalings]),
            "typical": self._typical,
            "median": self._median,
            "spread": self._spread,
        }
        return State(arrays=arrays, settings={"references": self.references, "keep": self.keep})

    @classmethod
    def restore(cls, state: State) -> Self:
        """The detector that `state` came from, without `held_out`."""
        a = state.arrays
        self = cls(**state.settings)
        self._scalings = [Scaling(c, s) for c, s in zip(a["centre"], a["scale"], strict=True)]
        self._rows, self._kept, self._typical = a["rows"], a["kept"], a["typical"]
        self._median, self._spread = a["median"], a["spread"]
        self._set_neighbours(None)
        return self


def clean(
    u: Floats32, groups: Ints, *, keep: float, generator: np.random.Generator
) -> tuple[NDArray[np.int64], Floats]:
    """Which of the scaled rows u (n, d) are kept (m,), ascending, and every row's mean distance (n,) to those near it.

    Raises:
        InputError: the kept rows are of a single group, so that they cannot judge each other.
    """
    scores = subsampled_distance(u, groups, generator)
    for _ in range(ROUNDS):
        kept = np.sort(np.argsort(scores, kind="stable")[: math.ceil(keep * len(u))])
        if len(np.unique(groups[kept])) < 2:
            raise InputError(f"{len(u)} rows, nearly all of one source, cannot judge each other; give more sources")
        scores = mean_distance(Neighbours(u[kept], groups=groups[kept]).search(u, NEAREST, leave_out=groups)[0])
    return kept, scores


def subsampled_distance(u: Floats32, groups: Ints, generator: np.random.Generator) -> Floats:
    """Mean over subsamples of the distance from each row u (n, d) to the nearest sampled row of another group: (n,)."""
    nearest = []
    for _ in range(SUBSAMPLES):
        sample = np.sort(generator.permutation(len(u))[:SUBSAMPLE])
        nearest.append(Neighbours(u[sample], groups=groups[sample]).search(u, 1, leave_out=groups)[0])
    return mean_distance(np.concatenate(nearest, axis=1))


def mean_distance(distances: Floats32) -> Floats:
    """Mean of each row (n, k) over the places that are filled; infinite where none is."""
    there = np.isfinite(distances)
    count = there.sum(axis=1)
    total = np.where(there, distances, 0).sum(axis=1, dtype=np.float64)
    return np.asarray(np.where(count > 0, total / np.maximum(count, 1), np.inf))


def column_parts(u: Floats32, near: Floats32, distances: Floats32) -> Floats:
    """Parts (m, d) that sum to the mean distance from rows u (m, d) to their neighbours near (m, k, d) at distances (m, k)."""
    filled = np.isfinite(distances)
    weights = np.divide(1, distances, out=np.zeros_like(distances), where=filled & (distances > 0))
    weights /= np.maximum(filled.sum(axis=1, keepdims=True), 1)
    return np.asarray(np.einsum("nkd,nk->nd", (near - u[:, None, :]) ** 2, weights))


def _batches(x: Floats) -> Iterator[slice]:
    size = min(max(64, _BATCH_VALUES // (NEAREST * x.shape[1])), 8192)
    return (slice(start, start + size) for start in range(0, len(x), size))
