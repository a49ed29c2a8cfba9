"""The exact diffusion model of the training rows, used as a detector. Nothing is trained.

For data that are the finite sample x_1..x_n plus Gaussian noise of deviation h, the ideal denoiser is known in closed
form (Karras et al. 2022, https://arxiv.org/abs/2206.00364, eq. 57):

    D_h(x) = Σ_i w_i x_i ,   w_i ∝ exp(−‖x − x_i‖² / 2h²)

An item is anomalous where denoising moves it far. Each item is denoised six times: under two scalings of the columns
(mean and standard deviation; median and interquartile range) at three levels h = c · b, with b the median over
references of the mean distance to five others. The sum is cut after the ten nearest references.

Each move r = x − D_h(x) is measured twice, and the twelve lengths are added:

    a = ‖r‖₂           how far
    a = ‖r / σ‖₄       how far beyond what is usual in each column, the worst columns counting most

    score = Σ (a − median a) / (95 % quantile of a − median a)

with σ_j² the mean of r_j² over the references. σ, the medians and the quantiles are those of the references, each
denoised by the others (leave one out). A column's contribution is its part of Σ a / (95 % quantile − median): the
contributions sum to the score up to a constant.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from agentad.detectors.base import Floats, Ints, Scores, State
from agentad.detectors.nearest_rows import NEAREST, batches, kernel, typical_distance
from agentad.detectors.robust import Scaling, as_float32, centre_and_spread, scalings
from agentad.errors import InputError
from agentad.memory.neighbours import Floats32, Ids, Neighbours

LEVELS = (0.3, 1.0, 9.0)
"""Bandwidths c in units of the typical distance b."""
_FLOOR = 1e-3
"""Least σ_j² in units of its mean over the columns."""


@dataclass(frozen=True)
class Found:
    """Consecutive rows under one scaling, with their nearest references."""

    rows: Floats32
    """(m, d) scaled."""
    distances: Floats32
    """(m, k), infinite where there are fewer than k."""
    indices: Ids
    """(m, k)"""


Batch = tuple[slice, list[Found]]
"""Where the rows are, and one `Found` per scaling."""


class EmpiricalDenoiser:
    """How far, and how unusually, the empirical denoiser moves a row. Encoded rows are (n, d), unscaled.

    Args:
        references: most training rows kept to denoise with, drawn at random where there are more.
    """

    held_out: Scores

    def __init__(self, *, references: int = 5000) -> None:
        self.references = references

    def fit(self, x: Floats, *, groups: Ints | None = None, seed: int = 0) -> Self:
        """Choose references among the rows x (n, d) and measure how they denoise each other.

        Raises:
            InputError: fewer than two rows, or a single group.
        """
        groups = np.arange(len(x)) if groups is None else np.asarray(groups)
        chosen = np.sort(np.random.default_rng(seed).permutation(len(x))[: self.references])
        own = groups[chosen]
        if len(np.unique(own)) < 2:
            raise InputError(f"{len(x)} rows of one source cannot judge each other; give rows of at least two sources")
        self._rows = np.asarray(x[chosen], dtype=np.float32)
        self._scalings = list(scalings(x))
        self._neighbours = [Neighbours(scaling.apply(self._rows), groups=own) for scaling in self._scalings]
        found = list(self._search(self._rows, own))
        self._measure(found)
        self.held_out = self._judge(found if len(chosen) == len(x) else self._search(x, groups), x.shape)
        return self

    def score(self, x: Floats) -> Scores:
        """Scores of rows (m, d), each column's contribution, and the mean denoised row."""
        return self._judge(self._search(x, None), x.shape)

    def _search(self, x: Floats, leave_out: Ints | None) -> Iterator[Batch]:
        for at in batches(x):
            rows = [scaling.apply(x[at]) for scaling in self._scalings]
            out = None if leave_out is None else leave_out[at]
            yield (
                at,
                [Found(u, *nb.search(u, NEAREST, leave_out=out)) for u, nb in zip(rows, self._neighbours, strict=True)],
            )

    def _measure(self, references: list[Batch]) -> None:
        """Set b, σ and the median and spread of each length from the references."""
        distances = [
            np.concatenate([found[v].distances for _, found in references]) for v in range(len(self._scalings))
        ]
        self._typical = np.array([typical_distance(d[:, :5]) for d in distances])
        squares = sum((self._moves(found)[0] ** 2).sum(axis=0) for _, found in references) / len(self._rows)
        floor = _FLOOR * squares.mean(axis=1, keepdims=True)
        self._sigma = np.sqrt(squares + np.where(floor > 0, floor, 1.0))
        lengths = np.concatenate([self._lengths(self._moves(found)[0])[0] for _, found in references])
        self._median, self._spread = centre_and_spread(lengths)

    def _judge(self, rows: Iterable[Batch], shape: tuple[int, ...]) -> Scores:
        item = np.empty(shape[0])
        local, expected = np.empty(shape, dtype=np.float32), np.empty(shape, dtype=np.float32)
        for at, found in rows:
            moves, expected[at] = self._moves(found)
            lengths, parts = self._lengths(moves)
            item[at] = ((lengths - self._median) / self._spread).sum(axis=1)
            local[at] = as_float32(np.einsum("nld,nl->nd", parts, unit_parts(parts, lengths) / self._spread))
        return Scores(item=item, local=local, expected=expected)

    def _moves(self, batch: list[Found]) -> tuple[Floats, Floats]:
        """Moves (m, scalings · levels, d) in scale units; the mean denoised row (m, d) in the encoder's."""
        moves, denoised = [], []
        for found, neighbours, scaling, b in zip(batch, self._neighbours, self._scalings, self._typical, strict=True):
            weights = np.stack([kernel(found.distances, c * b) for c in LEVELS], axis=1)
            cleaned = weights @ neighbours.references[found.indices]
            moves.append(found.rows[:, None, :].astype(np.float64) - cleaned)
            denoised.append(scaling.undo(cleaned.mean(axis=1)))
        return np.concatenate(moves, axis=1), np.mean(denoised, axis=0, dtype=np.float64)

    def _lengths(self, moves: Floats) -> tuple[Floats, Floats]:
        """Both lengths (m, 2 l) of each move (m, l, d), and the powers they are roots of, by column (m, 2 l, d)."""
        square, fourth = moves**2, (moves / self._sigma) ** 2
        fourth *= fourth
        lengths = np.concatenate([square.sum(axis=2) ** 0.5, fourth.sum(axis=2) ** 0.25], axis=1)
        return lengths, np.concatenate([square, fourth], axis=1)

    def state(self) -> State:
        """References in the encoder's units, scalings and statistics."""
        arrays: dict[str, NDArray[Any]] = {
            "rows": self._rows,
            "centre": np.stack([scaling.centre for scaling in self._scalings]),
            "scale": np.stack([scaling.scale for scaling in self._scalings]),
            "typical": self._typical,
            "sigma": self._sigma,
            "median": self._median,
            "spread": self._spread,
        }
        return State(arrays=arrays, settings={"references": self.references})

    @classmethod
    def restore(cls, state: State) -> Self:
        """The detector that `state` came from, without `held_out`."""
        a = state.arrays
        self = cls(**state.settings)
        self._scalings = [Scaling(c, s) for c, s in zip(a["centre"], a["scale"], strict=True)]
        self._rows, self._typical, self._sigma = a["rows"], a["typical"], a["sigma"]
        self._median, self._spread = a["median"], a["spread"]
        self._neighbours = [Neighbours(scaling.apply(self._rows)) for scaling in self._scalings]
        return self


def unit_parts(parts: Floats, lengths: Floats) -> Floats:
    """What turns powers (m, l, d) into parts that sum to the lengths (m, l): (m, l)."""
    totals = parts.sum(axis=2)
    return np.asarray(np.divide(lengths, totals, out=np.zeros_like(lengths), where=totals > 0))
