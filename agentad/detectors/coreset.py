"""A few rows that cover many: greedy k-centre, as PatchCore thins its memory (https://arxiv.org/abs/2106.08265).

Each next row is the one farthest from those chosen before, so that no row is left far from all of them. Approximate in
two ways that bound the cost: distances are those of a random projection, and only a random sample is looked through.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from agentad.detectors.base import Floats, Ints

CANDIDATES = 50_000
"""Rows that are looked through at most."""
DIRECTIONS = 128
"""Of the random projection: distances keep to about a sixteenth of their length."""


def k_centres(rows: Floats, k: int, rng: np.random.Generator) -> Ints:
    """The sorted positions of `k` of the rows (n, d), or of all if there are fewer. Costs `k` times `CANDIDATES`."""
    candidates = np.sort(rng.choice(len(rows), min(max(k, CANDIDATES), len(rows)), replace=False))
    if k >= len(candidates):
        return candidates
    seen = _projected(rows[candidates], rng)
    squares = np.einsum("ij,ij->i", seen, seen)
    chosen = np.empty(k, np.int64)
    distance = np.full(len(seen), np.inf, np.float32)
    chosen[0] = rng.integers(len(seen))
    for at in range(1, k):
        last = chosen[at - 1]
        np.minimum(distance, squares - 2 * (seen @ seen[last]) + squares[last], out=distance)
        distance[last] = -np.inf  # rounding may leave a row a little off itself
        chosen[at] = distance.argmax()
    return candidates[np.sort(chosen)]


def _projected(rows: Floats, rng: np.random.Generator) -> NDArray[np.float32]:
    """Rows on random directions, centred first: far from the origin, squares lose small distances."""
    rows = rows.astype(np.float32)
    rows -= rows.mean(axis=0)
    if rows.shape[1] <= DIRECTIONS:
        return rows
    directions = rng.normal(size=(rows.shape[1], DIRECTIONS)) / np.sqrt(DIRECTIONS)
    return np.asarray(rows @ directions.astype(np.float32))
