"""The few real anomalies that are learned from, set apart from those that are judged."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentad.modalities.items import Items
from agentad.modalities.split import Ints, Split

FEW = 20
"""Different anomalies, up to which all of them are learned from: half of so few would be worth neither learning from
nor judging by. Each is then judged by what was learned from the others."""


def set_apart(
    split: Split, items: Items, *, shots: int | None, seed: int, learnable: NDArray[np.bool_] | None = None
) -> Split:
    """`split` with the anomalies to learn from, no two of one group, and without their groups among the judged items.

    Args:
        split: into normals to learn from and items that are judged.
        items: all n items.
        shots: how many of each type; None: those the layout gives for training, if any; else all where there are at
            most `FEW`, and half of each type where there are more.
        seed: decides which. Fewer shots are the first of more.
        learnable: (n,) which anomalies can be learned from at all; None: all.
    """
    pool = (items.label == 1) & ~np.isin(items.group, items.group[split.train])
    if learnable is not None:
        pool &= learnable
    given = pool & (items.given == "train")
    if shots is None and given.any():
        pool = given
    order = np.random.default_rng(seed).permutation(np.flatnonzero(pool))
    different = order[np.sort(np.unique(items.group[order], return_index=True)[1])]
    few = given.any() or len(different) <= FEW
    chosen: list[Any] = []
    for kind in sorted(set(items.kind[different].tolist())):
        own = different[items.kind[different] == kind]
        chosen.extend(own[: (len(own) if few else len(own) // 2) if shots is None else shots].tolist())
    known: Ints = np.array(sorted(chosen), dtype=np.int64)
    judged = split.test[~np.isin(items.group[split.test], items.group[known])]
    return replace(split, known=known, test=judged)
