"""Which items are learned from, which are judged, and which get a score. Groups never straddle a split."""

from __future__ import annotations

from dataclasses import dataclass, field
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
    """What the run gives a score to. Where it overlaps `train` or `known`, scores are held-out ones."""
    notes: tuple[str, ...] = ()
    known: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    """Real anomalies that are learned from, in neither of the first two. See `shots`."""


def split_items(items: Items, training: Literal["normal", "contaminated"], seed: int) -> Split:
    """Split as the layout says; else half of the normals to train; else everything is learned from and scored.

    Where no item is known to be anomalous, nothing could be measured on a half kept back: all normals train.

    Items known to be anomalous are never learned from when `training` is `normal`. Each of several categories is split
    on its own, so that none is only judged because another one comes with training data.
    """
    if items.category is None:
        return _split_one(items, training, seed)
    parts = []
    notes: list[str] = []
    for name in np.unique(items.category):
        own = np.flatnonzero(items.category == name)
        found = _split_one(items.take(own), training, seed)
        parts.append((own[found.train], own[found.test], own[found.scored]))
        notes.extend(f"{name or 'of no category'}: {note}" for note in found.notes)
    train, test, scored = (np.sort(np.concatenate(part)) for part in zip(*parts, strict=True))
    elsewhere = np.isin(items.group[test], items.group[train])  # within a category no group is parted
    if elsewhere.any():
        notes.append(
            f"{int(elsewhere.sum())} test items not judged: near-duplicates of another category's training items"
        )
        test = test[~elsewhere]
    return Split(train, test, scored, tuple(notes))


def _split_one(items: Items, training: Literal["normal", "contaminated"], seed: int) -> Split:
    if np.any(items.given == "train"):
        return _as_given(items, training, seed)
    if np.any(items.label >= 0) and training == "normal":
        return _half_of_normals(items, seed)
    everything = np.arange(len(items))
    return Split(everything, np.flatnonzero(items.label >= 0), everything)


def _as_given(items: Items, training: str, seed: int) -> Split:
    given = items.given == "train"
    notes = []
    anomalous = given & (items.label == 1) & (training == "normal")
    if anomalous.any():
        notes.append(f"{int(anomalous.sum())} training items left out: labelled anomalous")
    train, test = given & ~anomalous, ~given
    shared = np.intersect1d(items.group[train], items.group[test])
    in_both = np.isin(items.group, shared)
    if np.sum(train & in_both) <= np.sum(train) / 2:
        if len(shared):
            notes.append(f"{int(np.sum(train & in_both))} training items left out: near-duplicates of test items")
        train, judged = train & ~in_both, test
    elif not np.any(test & ~in_both & (items.label == 0)) and len(copied := _shared_normal(items, train, test)) > 1:
        # all normal test items are copies of training items: half of these make room, or nothing could be measured
        kept = np.isin(items.group, np.random.default_rng(seed).permutation(copied)[: len(copied) // 2])
        notes.append(
            f"{int(np.sum(train & kept))} training items left out and {int(np.sum(test & in_both & ~kept))} test items "
            "not judged: the normal test items are near-duplicates of training items"
        )
        train, judged = train & ~kept, test & (kept | ~in_both)
    else:  # leaving out most of the training data would cost more than leaving some test items unjudged
        judged = test & ~in_both
        notes.append(f"{int(np.sum(test & in_both))} test items not judged: near-duplicates of training items")
    if not test.any():  # a folder that holds training data only: score it as it is, held out
        return Split(np.flatnonzero(train), np.zeros(0, np.int64), np.flatnonzero(given), tuple(notes))
    judged = judged & (items.label >= 0)
    return Split(np.flatnonzero(train), np.flatnonzero(judged), np.flatnonzero(test), tuple(notes))


def _shared_normal(items: Items, train: NDArray[np.bool_], test: NDArray[np.bool_]) -> Ints:
    """Groups of normal test items that hold training items too."""
    return np.intersect1d(items.group[train], items.group[test & (items.label == 0)])


def _half_of_normals(items: Items, seed: int) -> Split:
    known = items.label >= 0
    # a group with an anomalous member is judged whole, never learned from
    tainted = np.isin(items.group, items.group[items.label == 1])
    normal_groups = np.unique(items.group[(items.label == 0) & ~tainted])
    chosen = np.random.default_rng(seed).permutation(len(normal_groups))[: _half(items, len(normal_groups))]
    train = (items.label == 0) & ~tainted & np.isin(items.group, normal_groups[chosen])
    everything = np.arange(len(items))
    return Split(np.flatnonzero(train), np.flatnonzero(known & ~train), everything)


def _half(items: Items, groups: int) -> int:
    """How many of the groups of normal items train."""
    return (groups + 1) // 2 if np.any(items.label == 1) else groups
