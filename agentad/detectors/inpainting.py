"""Why a row is odd: each source column is taken out and put back as the training rows would have it.

The empirical distribution plus Gaussian noise is a diffusion model whose conditionals are known in closed form. Given
the other columns x_−c of a row, column c is distributed over the training rows x_i as

    p(x_c | x_−c) = Σ_i w_i δ(x_ic) ,   w_i ∝ exp(−‖x_−c − x_i,−c‖² / 2h²)

with distances in the other columns only. The sum is cut after the nearest `NEAREST` rows, and h² is the mean squared
distance to the ten nearest, so that it follows the density around the row. The mean is what the model expects, the
5 % and 95 % quantiles bound its interval, and

    surprise_c = ‖x_c − E x_c‖ / √(Var x_c + floor)

is how far the value lies from that, in standard deviations.

A column and its partner are odd only together where the column is surprising given all others, and ordinary once the
partner is taken out as well: each value may occur, but not beside the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from agentad.detectors.base import Detector, Floats, Ints
from agentad.detectors.robust import Scaling

NEAREST = 50
"""Training rows that stand for a conditional distribution."""
REFERENCES = 2000
"""Training rows compared with, at most."""
INTERVAL = (0.05, 0.95)
ODD = 3.0
"""Surprise from which on a partner is looked for."""
ORDINARY = 2.0
"""Surprise below which a value is ordinary."""
_FAR = 20.0
_FLOOR = 0.05
"""Least standard deviation of a conditional distribution, in those of the column: rounding, and few neighbours."""
_BATCH = 256


@dataclass(frozen=True)
class Inpainted:
    """What is expected of n rows with d encoded columns from s source columns, each column given the others."""

    expected: Floats
    """(n, d) in the encoder's units."""
    low: Floats
    """(n, d) 5 % quantile."""
    high: Floats
    """(n, d) 95 % quantile."""
    surprise: Floats
    """(n, s) how far each source column is from what is expected, in standard deviations. Higher = more anomalous.

    NaN, like its expectation and interval, where it was not wanted."""
    partner: Ints
    """(n,) the wanted source column beside which the most surprising one is odd, though ordinary without it; or -1."""


@dataclass(frozen=True)
class _Conditional:
    """The distribution of o columns of n rows given their others."""

    values: Floats
    """(n, k, o) of the nearest training rows."""
    weights: Floats
    """(n, k), each row summing to 1."""
    mean: Floats
    """(n, o)"""
    surprise: Floats
    """(n,) how far the actual values are from the mean, in standard deviations."""


@dataclass(frozen=True)
class RowMemory:
    """Training rows (m, d) in scaled units, to resample columns from."""

    rows: NDArray[np.float32]
    scaling: Scaling

    @classmethod
    def of(cls, detector: Detector, *, seed: int = 0) -> Self | None:
        """The memory of a fitted table detector; None for one that keeps no training rows."""
        return cls.from_arrays(detector.state().arrays, seed=seed)

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], *, seed: int = 0) -> Self | None:
        """The memory in a detector's saved arrays: `rows`, `centre` and `scale`."""
        if not {"rows", "centre", "scale"} <= set(arrays):
            return None
        rows = arrays["rows"]
        if len(rows) > REFERENCES:
            rows = rows[np.sort(np.random.default_rng(seed).permutation(len(rows))[:REFERENCES])]
        scaling = Scaling(*(np.atleast_2d(arrays[name])[0] for name in ("centre", "scale")))
        return cls(_scaled(scaling, rows), scaling)

    def inpaint(self, x: Floats, owner: Ints, *, wanted: NDArray[np.bool_] | None = None) -> Inpainted:
        """Take out and put back source columns of rows x (n, d), one at a time.

        Args:
            x: rows in the encoder's units.
            owner: (d,) the source column of each encoded column, numbered from 0.
            wanted: (n, s) which source columns of which rows; all of them by default.
        """
        if wanted is None:
            wanted = np.ones((len(x), int(owner.max()) + 1), dtype=bool)
        u = _scaled(self.scaling, x)
        blocks = [slice(at, at + _BATCH) for at in range(0, max(len(x), 1), _BATCH)]
        parts = [self._inpaint(u[at], owner, wanted[at]) for at in blocks]
        expected, low, high, surprise, partner = (np.concatenate(part) for part in zip(*parts, strict=True))
        expected, low, high = (self.scaling.undo(part) for part in (expected, low, high))
        return Inpainted(expected, low, high, surprise, partner)

    def _inpaint(self, u: NDArray[np.float32], owner: Ints, wanted: NDArray[np.bool_]) -> tuple[Floats | Ints, ...]:
        expected, low, high = (np.full_like(u, np.nan) for _ in range(3))
        surprise = np.full(wanted.shape, np.nan)
        total = self._squares(u, np.ones(len(owner), dtype=bool))
        for c in range(wanted.shape[1]):
            rows, own = np.flatnonzero(wanted[:, c]), owner == c
            if len(rows):
                found = self._conditional(u[rows], own, total[rows] - self._squares(u[rows], own))
                at = np.ix_(rows, own)
                expected[at], surprise[rows, c] = found.mean, found.surprise
                low[at], high[at] = _quantiles(found.values, found.weights, INTERVAL)
        return expected, low, high, surprise, self._partners(u, owner, total, surprise)

    def _squares(self, u: NDArray[np.float32], columns: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Squared distances (n, m) in some columns."""
        total = np.zeros((len(u), len(self.rows)), dtype=np.float32)
        for j in np.flatnonzero(columns):
            difference = u[:, j, None] - self.rows[None, :, j]
            total += difference * difference
        return total

    def _conditional(self, u: NDArray[np.float32], own: NDArray[np.bool_], rest: Floats) -> _Conditional:
        """What the columns `own` of rows u (n, d) are expected to be, given squared distances (n, m) in the others."""
        k = min(NEAREST, rest.shape[1])
        near = np.argpartition(rest, k - 1, axis=1)[:, :k]
        squared = np.maximum(np.take_along_axis(rest, near, axis=1), 0)
        ordered = np.sort(squared, axis=1)
        h2 = np.maximum(ordered[:, :10].mean(axis=1, keepdims=True), 1e-12)
        weights = np.exp((ordered[:, :1] - squared) / (2 * h2))
        weights /= weights.sum(axis=1, keepdims=True)
        values = self.rows[near][:, :, own]  # (n, k, o)
        mean = np.einsum("nk,nko->no", weights, values)
        variance = np.einsum("nk,nko->no", weights, (values - mean[:, None]) ** 2).sum(axis=1)
        away = ((u[:, own] - mean) ** 2).sum(axis=1)
        return _Conditional(values, weights, mean, np.sqrt(away / (variance + _FLOOR**2)))

    def _partners(self, u: NDArray[np.float32], owner: Ints, total: Floats, surprise: Floats) -> Ints:
        partner = np.full(len(u), -1)
        known = np.nan_to_num(surprise, nan=-1.0)
        worst = known.argmax(axis=1)
        for c in np.unique(worst):
            odd = np.flatnonzero((worst == c) & (known[:, c] > ODD))
            if len(odd):
                partner[odd] = self._partner(u[odd], owner, total[odd], int(c), known[odd] >= 0)
        return partner

    def _partner(self, u: NDArray[np.float32], owner: Ints, total: Floats, c: int, wanted: NDArray[np.bool_]) -> Ints:
        """The wanted column (n,) without which column `c` is most ordinary, -1 where it stays odd."""
        own = owner == c
        rest = total - self._squares(u, own)
        least, partner = np.full(len(u), np.inf), np.full(len(u), -1)
        for b in np.flatnonzero(wanted.any(axis=0)):
            rows = np.flatnonzero(wanted[:, b])
            if b == c:
                continue
            without = rest[rows] - self._squares(u[rows], owner == b)
            surprise = self._conditional(u[rows], own, without).surprise
            better = surprise < np.minimum(least[rows], ORDINARY)
            least[rows[better]], partner[rows[better]] = surprise[better], b
        return partner


def _scaled(scaling: Scaling, x: Floats) -> NDArray[np.float32]:
    return np.clip(scaling.apply(x), -_FAR, _FAR)


def _quantiles(values: Floats, weights: Floats, wanted: Sequence[float]) -> Iterator[Floats]:
    """Weighted quantiles (n, o) of values (n, k, o) with weights (n, k): the first value that reaches each share."""
    order = np.argsort(values, axis=1, kind="stable")
    share = np.take_along_axis(np.broadcast_to(weights[:, :, None], values.shape), order, axis=1).cumsum(axis=1)
    ordered = np.take_along_axis(values, order, axis=1)
    for q in wanted:
        place = (share < q * share[:, -1:]).sum(axis=1, keepdims=True)
        yield np.take_along_axis(ordered, place, axis=1)[:, 0]
