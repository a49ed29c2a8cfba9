"""The exact diffusion model of a finite set of rows, and how far it moves others. Nothing is trained.

For data that are the finite sample x_1..x_n plus Gaussian noise of deviation h, the ideal denoiser is known in closed
form (Karras et al. 2022, https://arxiv.org/abs/2206.00364, eq. 57):

    D_h(x) = Σ_i w_i x_i ,   w_i ∝ exp(−‖x − x_i‖² / 2h²)

A row is denoised six times: under two scalings of the columns (mean and standard deviation; median and interquartile
range) at three levels h = c · b, with b the median over references of the mean distance to five others. The sum is cut
after the ten nearest references. Each move r = x − D_h(x) is measured twice:

    ‖r‖₂           how far
    ‖r / σ‖₄       how far beyond what is usual in each column, the worst columns counting most

with σ_j² the mean of r_j² over the references, each denoised by the others (leave one out).

Under the second scaling the ten nearest are taken among the thirty nearest under the first: one search serves both.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from agentad.detectors.base import Floats, Ints
from agentad.detectors.fair_columns import fair_scalings
from agentad.detectors.nearest_rows import NEAREST, batches, kernel, typical_distance
from agentad.detectors.robust import Scaling
from agentad.errors import InputError
from agentad.memory.neighbours import Floats32, Ids, Neighbours
from agentad.modalities.table.layout import Layout

LEVELS = (0.3, 1.0, 9.0)
"""Bandwidths c in units of the typical distance b."""
LENGTHS = 12
"""Two of each of the six moves."""
NEAREST_FIRST = 30
"""References that are looked up, under the first scaling."""
_FLOOR = 1e-3
"""Least σ_j² in units of its mean over the columns."""


@dataclass(frozen=True)
class Found:
    """Consecutive rows under one scaling, with their nearest references."""

    rows: Floats32
    """(m, d) scaled."""
    references: Floats32
    """(n, d) scaled."""
    distances: Floats32
    """(m, k) nearest first, infinite where there are fewer than k."""
    indices: Ids
    """(m, k), -1 where there are fewer than k."""


Batch = tuple[slice | Ints, list[Found]]
"""Where the rows are, and one `Found` per scaling."""


class EmpiricalMoves:
    """References among the rows x (n, d), and how they denoise each other.

    Args:
        x: rows in the encoder's units.
        groups: (n,) rows of one group do not judge each other.
        references: most rows kept to denoise with, drawn at random where there are more.
        seed: decides which.
        layout: what the encoded columns are.

    Raises:
        InputError: fewer than two rows, or a single group.
    """

    references: list[tuple[slice, list[Found]]]
    """After construction: the references, each with those of other groups."""

    def __init__(self, x: Floats, groups: Ints, *, references: int, seed: int, layout: Layout | None = None) -> None:
        self.chosen = np.sort(np.random.default_rng(seed).permutation(len(x))[:references])
        own = groups[self.chosen]
        if len(np.unique(own)) < 2:
            raise InputError(f"{len(x)} rows of one source cannot judge each other; give rows of at least two sources")
        self.rows = np.asarray(x[self.chosen], dtype=np.float32)
        self.scalings: Sequence[Scaling] = fair_scalings(x, layout)
        self._remember(own)
        self.references = list(self.search(self.rows, own))
        self._measure()

    def _remember(self, groups: Ints | None) -> None:
        self._scaled = [scaling.apply(self.rows) for scaling in self.scalings]
        self._neighbours = Neighbours(self._scaled[0], groups=groups)

    def held_out(self, x: Floats, groups: Ints) -> Iterator[Batch]:
        """All rows that references were chosen from, with the nearest ones of other groups."""
        for at, found in self.references:
            yield self.chosen[at], found
        rest = np.setdiff1d(np.arange(len(x)), self.chosen)
        for at, found in self.search(x[rest], groups[rest]):
            yield rest[at], found

    def search(self, x: Floats, leave_out: Ints | None) -> Iterator[tuple[slice, list[Found]]]:
        """The nearest references of rows x (n, d), those of the groups `leave_out` (n,) left out."""
        for at in batches(x):
            first, second = (scaling.apply(x[at]) for scaling in self.scalings)
            out = None if leave_out is None else leave_out[at]
            found = Found(first, self._scaled[0], *self._neighbours.search(first, NEAREST_FIRST, leave_out=out))
            yield at, [found, _nearest_of(found, second, self._scaled[1])]

    def _measure(self) -> None:
        """Set b and σ from the references."""
        batches_of = range(len(self.scalings))
        distances = [np.concatenate([found[v].distances[:, :5] for _, found in self.references]) for v in batches_of]
        self.typical = np.array([typical_distance(d) for d in distances])
        squares = sum((self.moves(found)[0] ** 2).sum(axis=0) for _, found in self.references) / len(self.rows)
        floor = _FLOOR * squares.mean(axis=1, keepdims=True)
        self._sigma = np.sqrt(squares + np.where(floor > 0, floor, 1.0))

    def moves(self, batch: list[Found]) -> tuple[Floats, Floats]:
        """Moves (m, scalings · levels, d) in scale units; the mean denoised row (m, d) in the encoder's."""
        moves, denoised = [], []
        for found, scaling, b in zip(batch, self.scalings, self.typical, strict=True):
            weights = np.stack([kernel(found.distances[:, :NEAREST], c * b) for c in LEVELS], axis=1)
            cleaned = weights @ found.references[found.indices[:, :NEAREST]]
            moves.append(found.rows[:, None, :].astype(np.float64) - cleaned)
            denoised.append(scaling.undo(cleaned.mean(axis=1)))
        return np.concatenate(moves, axis=1), np.mean(denoised, axis=0, dtype=np.float64)

    def lengths(self, moves: Floats) -> tuple[Floats, Floats]:
        """Both lengths (m, 2 l) of each move (m, l, d), and the powers they are roots of, by column (m, 2 l, d)."""
        square, fourth = moves**2, (moves / self._sigma) ** 2
        fourth *= fourth
        lengths = np.concatenate([square.sum(axis=2) ** 0.5, fourth.sum(axis=2) ** 0.25], axis=1)
        return lengths, np.concatenate([square, fourth], axis=1)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """References in the encoder's units, scalings and statistics."""
        return {
            "rows": self.rows,
            "centre": np.stack([scaling.centre for scaling in self.scalings]),
            "scale": np.stack([scaling.scale for scaling in self.scalings]),
            "typical": self.typical,
            "sigma": self._sigma,
        }

    @classmethod
    def restore(cls, arrays: dict[str, NDArray[Any]]) -> Self:
        """What `arrays` came from, without `references`: it judges new rows only."""
        self = cls.__new__(cls)
        self.scalings = [Scaling(c, s) for c, s in zip(arrays["centre"], arrays["scale"], strict=True)]
        self.rows, self.typical, self._sigma = arrays["rows"], arrays["typical"], arrays["sigma"]
        self._remember(None)
        return self


def _nearest_of(found: Found, u: Floats32, references: Floats32) -> Found:
    """The `NEAREST` of what was found for the same rows under another scaling, (m, d) there."""
    away = references[found.indices]
    away -= u[:, None, :]
    distances = np.sqrt(np.einsum("nkd,nkd->nk", away, away))
    distances[found.indices < 0] = np.inf
    order = np.argsort(distances, axis=1, kind="stable")[:, :NEAREST]
    nearest = (np.take_along_axis(values, order, axis=1) for values in (distances, found.indices))
    return Found(u, references, *nearest)


def unit_parts(parts: Floats, lengths: Floats) -> Floats:
    """What turns powers (m, l, d) into parts that sum to the lengths (m, l): (m, l)."""
    totals = parts.sum(axis=2)
    return np.asarray(np.divide(lengths, totals, out=np.zeros_like(lengths), where=totals > 0))
