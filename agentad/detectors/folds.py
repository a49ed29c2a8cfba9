"""Parting items into folds without parting their groups."""

from __future__ import annotations

import numpy as np

from agentad.detectors.base import Ints
from agentad.errors import InputError


def group_folds(groups: Ints, folds: int, seed: int, categories: Ints | None = None) -> Ints:
    """The fold (n,) of each item, 0 to at most `folds` - 1. Items of one group share a fold.

    Groups are dealt in random order, the largest first, each to the fold with the fewest items so far; with
    `categories` (n,) 0 and up, to the fold with the fewest items of the category of the group's first item.

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
    first = np.unique(groups, return_index=True)[1]
    kind = np.zeros(len(names), np.int64) if categories is None else np.asarray(categories)[first]
    load = np.zeros((kind.max() + 1, min(folds, len(names))), np.int64)
    fold = np.empty(len(names), np.int64)
    for group in order:
        fold[group] = np.lexsort((load.sum(axis=0), load[kind[group]]))[0]
        load[kind[group], fold[group]] += counts[group]
    return fold[member]
