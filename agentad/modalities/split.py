"""Which items are learned from, which are judged, and which get a score. Groups never straddle a split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from agentad.modalities.items import Items

Ints = NDArray[np.integer[Any]]


@dataclass(frozen=True)
class Split:
    """Sorted indices into the items."""

    train: Ints
    """Learned from."""
    test: Ints
    """Labelled and not learned from: what metrics are computed on. Empty without labels."""
    scored: Ints
    """What the run gives a score to. Where it overlaps `train`, scores are held-out ones."""
    notes: tuple[str, ...] = ()


def split_items(items: Items, training: Literal["normal", "contaminated"], seed: int) -> Split:
    """Split as the layout says; else half of the normals to train; else everything is learned from and scored.

    Items known to be anomalous are never learned from when `training` is `normal`.
    """
    if np.any(items.given == "train"):
        return _as_given(items, training)
    if np.any(items.label >= 0) and training == "normal":
        return _half_of_normals(items, seed)
    everything = np.arange(len(items))
    return Split(everything, np.flatnonzero(items.label >= 0), everything)


def _as_given(items: Items, training: str) -> Split:
    given_train = items.given == "train"
    test = np.flatnonzero(~given_train)
    leaked = given_train & np.isin(items.group, items.group[test])
    anomalous = given_train & (items.label == 1) if training == "normal" else np.zeros(len(items), bool)
    notes = []
    if leaked.any():
        notes.append(f"{int(leaked.sum())} training items left out: near-duplicates of test items")
    if anomalous.any():
        notes.append(f"{int(anomalous.sum())} training items left out: labelled anomalous")
    train = np.flatnonzero(given_train & ~leaked & ~anomalous)
    if not len(test):  # a folder that holds training data only: score it as it is, held out
        return Split(train, np.zeros(0, np.int64), np.flatnonzero(given_train), tuple(notes))
    return Split(train, test[items.label[test] >= 0], test, tuple(notes))


def _half_of_normals(items: Items, seed: int) -> Split:
    known = items.label >= 0
    # a group with an anomalous member is judged whole, never learned from
    tainted = np.isin(items.group, items.group[items.label == 1])
    normal_groups = np.unique(items.group[(items.label == 0) & ~tainted])
    chosen = np.random.default_rng(seed).permutation(len(normal_groups))[: (len(normal_groups) + 1) // 2]
    train = (items.label == 0) & ~tainted & np.isin(items.group, normal_groups[chosen])
    everything = np.arange(len(items))
    return Split(np.flatnonzero(train), np.flatnonzero(known & ~train), everything)
