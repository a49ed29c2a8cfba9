"""Which source columns are hidden together."""

from __future__ import annotations

import numpy as np

from agentad.detectors.base import Floats, Ints

_CONSTANT = 1e-6
"""A standard deviation this small is none."""


def blocks_apart(u: Floats, source: Ints, order: Ints, blocks: int) -> Ints:
    """The block (s,) of each source column: as equal in size as can be, what correlates in different ones.

    Columns that tell each other are of no use to each other in one block. They are dealt out in rounds, each to the
    block left in the round whose members it is least correlated with, the largest correlation deciding.

    Args:
        u: scaled rows (n, w), n at least 1, NaN where missing.
        source: (w,) the source column of each column of `u`, numbered from 0.
        order: (s,) in which source columns are dealt out.
        blocks: how many, at most one a source column.
    """
    tie = _correlation(u, source)
    block = np.full(len(order), -1)
    for start in range(0, len(order), blocks):
        left = list(range(blocks))
        for s in order[start : start + blocks]:
            best = min(left, key=lambda b: tie[s, block == b].max(initial=0.0))
            block[s] = best
            left.remove(best)
    return block


def _correlation(u: Floats, source: Ints) -> Floats:
    """Largest absolute correlation (s, s) between the columns of two source columns; what is missing is the mean."""
    z = np.nan_to_num(u)
    z -= z.mean(axis=0)
    z /= np.maximum(z.std(axis=0), _CONSTANT)
    order = np.argsort(source, kind="stable")
    first = np.searchsorted(source[order], np.arange(int(source.max()) + 1))
    by_source = (np.abs(z.T @ z) / len(z))[np.ix_(order, order)]
    return np.asarray(np.maximum.reduceat(np.maximum.reduceat(by_source, first, axis=0), first, axis=1))
