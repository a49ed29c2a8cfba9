"""Parting items into folds without parting their groups."""

from __future__ import annotations

import numpy as np

from agentad.detectors.base import Ints
from agentad.errors import InputError


def group_folds(groups: Ints, folds: int, seed: int) -> Ints:
    """The fold (n,) of each item, 0 to at most `folds` - 1. Items of one group share a fold.

    Groups are dealt in random order, the largest first, each to the fold with the fewest items so far.

    Raises:
        InputError: fewer than two groups.
    """
    names, member, counts = np.unique(groups, return_inverse=True, return_counts=True)
    if len(names) < 2:
        raise InputError(
            f"cross-fitting needs items of at least 2 groups, got {len(groups)} items of 1. Add normal items."
        )
    shuffled = np.random.default_rng(seed).permutation(len(names))
    order = shuffled[np.argsort(-counts[shuffled], kind="stable")]
    load = np.zeros(min(folds, len(names)), np.int64)
    fold = np.empty(len(names), np.int64)
    for group in order:
        fold[group] = load.argmin()
        load[fold[group]] += counts[group]
    return fold[member]
