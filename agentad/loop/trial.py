"""How a candidate does on real items it has not seen.

The known anomalies are dealt to folds; each is judged by a head that learned from the other folds. Normals are parted
once: heads are taught by those that anomalies are invented from, and all of them judge the others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from agentad.detectors.base import Scores, joined
from agentad.detectors.judged import Head, Judged
from agentad.loop.workshop import Places, Real


@dataclass(frozen=True)
class Unseen:
    """Scores of m real items, each by a detector that has not seen it: n normals, then the known anomalies."""

    normal: Places
    """(n,) positions among the normals."""
    scores: Scores
    """(m,)"""
    fold: Places
    """(m,) number of the head that scored each item; -1 for normals, which all of them scored."""

    @property
    def labels(self) -> NDArray[np.int8]:
        """(m,) 0 normal, 1 anomalous."""
        n = len(self.normal)
        return np.repeat(np.array([0, 1], np.int8), [n, len(self.fold) - n])


def folds_of(real: Real, count: int, seed: int) -> list[Places]:
    """Positions among the known anomalies, dealt type by type to at most `count` folds, whole groups each.

    One fold of nothing where no anomaly is known.
    """
    kinds, group = real.kinds, _groups(real.known)
    order = np.random.default_rng(seed).permutation(len(kinds))
    order = order[np.argsort(kinds[order].astype(str), kind="stable")]
    groups = list(dict.fromkeys(group[order].tolist()))
    count = max(1, min(count, len(groups)))
    part = {name: i % count for i, name in enumerate(groups)}
    of = np.array([part[name] for name in group.tolist()], dtype=np.int64)
    return [np.flatnonzero(of == k) for k in range(count)]


def others(real: Real, fold: Places) -> Places:
    """Positions of the known anomalies outside a fold."""
    return np.setdiff1d(np.arange(len(real.known)), fold)


def _groups(items: Judged) -> NDArray[np.integer]:
    return np.arange(len(items)) if items.group is None else items.group


def unadapted(real: Real, folds: Sequence[Places]) -> Unseen:
    """What the unsupervised detector says: it has never seen an anomaly, and its scores of normals are held out."""
    normal = np.flatnonzero(~real.source)
    fold = np.full(len(real.known), -1)
    for k, places in enumerate(folds):
        fold[places] = k
    scores = joined([real.normal.scores.take(normal), real.known.scores])
    return Unseen(normal, scores, np.concatenate([np.full(len(normal), -1), fold]))


def tried(
    real: Real,
    folds: Sequence[Places],
    head: Callable[[], Head],
    invented: Callable[[int], Judged | None],
    *,
    seed: int,
    progress: Callable[[int, int], None],
) -> Unseen:
    """What heads say that are taught without one fold each.

    Args:
        real: the real items.
        folds: positions among the known anomalies.
        head: makes an unfitted head.
        invented: what was invented without the k-th fold, if anything.
        seed: of the heads.
        progress: called with (folds done, folds).
    """
    before = unadapted(real, folds)
    source, asked = real.normal.take(real.source), real.normal.take(before.normal)
    normals: list[Scores] = []
    rare: dict[int, Scores] = {}
    for k, fold in enumerate(folds):
        known, made = others(real, fold), invented(k)
        if len(known) or made is not None:
            taught = head().fit(source, real.known.take(known), made, seed=seed)
            normals.append(taught.score(asked))
            if len(fold):
                rare[k] = taught.score(real.known.take(fold))
        progress(k + 1, len(folds))
    if not normals:  # a single anomaly and nothing invented: nobody was taught
        return before
    like = normals[0].local
    for k, fold in enumerate(folds):
        if k not in rare and len(fold):
            rare[k] = _fitting(real.known.take(fold).scores, like)
    order = np.argsort(np.concatenate(list(folds)), kind="stable")
    parts = [rare[k] for k, fold in enumerate(folds) if len(fold)]
    known_scores = [joined(parts).take(order)] if parts else []
    return replace(before, scores=joined([_mean(normals), *known_scores]))


def _mean(said: Sequence[Scores]) -> Scores:
    """The mean of what several heads say of the same items."""
    local = [one.local for one in said if one.local is not None]
    item = np.mean([one.item for one in said], axis=0)
    return Scores(item, np.mean(local, axis=0) if len(local) == len(said) else None)


def _fitting(scores: Scores, like: NDArray[np.floating] | None) -> Scores:
    """Scores without a head, their maps as fine as those `like` (n, h, w) of the heads."""
    if scores.local is None or like is None or like.ndim < 3:
        return scores
    times = like.shape[1] // scores.local.shape[1]
    return replace(scores, local=scores.local.repeat(times, axis=1).repeat(times, axis=2))
