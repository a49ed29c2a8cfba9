"""How a candidate does on real items it has not seen: every part of them judged by what learned from the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from agentad.detectors.base import Floats, Scores
from agentad.detectors.judged import Head, Judged, joined
from agentad.loop.workshop import Places, Real


@dataclass(frozen=True)
class Fold:
    """A part of the real items."""

    normal: Places
    """Positions among the normals; none that anomalies are invented from."""
    known: Places
    """Positions among the known anomalies."""


@dataclass(frozen=True)
class Unseen:
    """Scores of the m real items of all folds, each by a detector that has not seen it."""

    normal: Places
    """Positions among the normals."""
    known: Places
    """Positions among the known anomalies; after the normals in all that follows."""
    scores: Scores
    fold: Places
    """(m,) number of the fold that each item is of."""

    @property
    def labels(self) -> NDArray[np.int8]:
        """(m,) 0 normal, 1 anomalous."""
        return np.repeat(np.array([0, 1], np.int8), [len(self.normal), len(self.known)])


def folds_of(real: Real, count: int, seed: int) -> list[Fold]:
    """At most `count` folds, whole groups each; the types of the known anomalies are spread evenly."""
    rng = np.random.default_rng(seed)
    gate = np.flatnonzero(~real.source)
    normal = _parts(gate, real.normal.group, np.full(len(gate), "", object), count, rng)
    known = np.arange(len(real.known))
    if not len(known):
        return [Fold(own, known) for own in normal]
    rare = _parts(known, real.known.group, real.kinds, count, rng)
    return [Fold(*pair) for pair in zip(normal, rare, strict=True)]


def _parts(
    index: Places, group: NDArray[np.integer] | None, kinds: NDArray[np.object_], count: int, rng: np.random.Generator
) -> list[Places]:
    """`index` dealt to `count` parts, type by type and group by group."""
    own = index if group is None else group[index]
    order = rng.permutation(len(index))
    order = order[np.argsort(kinds[order].astype(str), kind="stable")]
    groups = list(dict.fromkeys(own[order].tolist()))
    part = {name: i % count for i, name in enumerate(groups)}
    of = np.array([part[name] for name in own.tolist()], dtype=np.int64)
    return [index[of == k] for k in range(count)]


def others(real: Real, fold: Fold) -> tuple[Places, Places]:
    """Positions among normals and known anomalies of everything outside the fold and its groups."""
    return (
        np.flatnonzero(~np.isin(_groups(real.normal), _groups(real.normal)[fold.normal])),
        np.flatnonzero(~np.isin(_groups(real.known), _groups(real.known)[fold.known])),
    )


def _groups(items: Judged) -> NDArray[np.integer]:
    return np.arange(len(items)) if items.group is None else items.group


def unadapted(real: Real, folds: Sequence[Fold]) -> Unseen:
    """What the unsupervised detector says: it has never seen an anomaly, and its scores of normals are held out."""
    dealt = [fold.normal for fold in folds], [fold.known for fold in folds]
    normal, known = (np.concatenate(parts) for parts in dealt)
    fold = np.concatenate([np.repeat(np.arange(len(folds)), [len(part) for part in parts]) for parts in dealt])
    return Unseen(normal, known, joined([real.normal.take(normal), real.known.take(known)]).scores, fold)


def tried(
    real: Real,
    folds: Sequence[Fold],
    head: Callable[[], Head],
    invented: Callable[[int], Judged | None],
    *,
    seed: int,
    progress: Callable[[int, int], None],
) -> Unseen:
    """What heads taught without a fold say of it.

    Args:
        real: the real items.
        folds: parts of them.
        head: makes an unfitted head.
        invented: what was invented without the k-th fold, if anything.
        seed: of the heads.
        progress: called with (folds done, folds).
    """
    normals: list[Judged] = []
    knowns: list[Judged] = []
    for k, fold in enumerate(folds):
        normal, known = others(real, fold)
        made = invented(k)
        taught = None
        if len(known) or made is not None:  # else there is nothing to learn from, and the detector stays as it is
            taught = head().fit(real.normal.take(normal), real.known.take(known), made, seed=seed)
        for places, items, into in ((fold.normal, real.normal, normals), (fold.known, real.known, knowns)):
            asked = items.take(places)
            if len(places):
                into.append(Judged(asked.x, taught.score(asked) if taught else asked.scores, asked.where))
        progress(k + 1, len(folds))
    every = unadapted(real, folds)
    return replace(every, scores=joined(_alike([*normals, *knowns])).scores)


def _alike(parts: list[Judged]) -> list[Judged]:
    """The parts with maps of one size: heads may give finer ones than the detector does in a fold without a head."""
    locals_ = [part.scores.local for part in parts]
    if any(local is None or local.ndim < 3 for local in locals_):
        return parts
    most = max(local.shape[1] for local in locals_ if local is not None)
    return [
        part if local is None else replace(part, scores=replace(part.scores, local=_repeated(local, most)))
        for part, local in zip(parts, locals_, strict=True)
    ]


def _repeated(local: Floats, rows: int) -> Floats:
    times = rows // local.shape[1]
    return local.repeat(times, axis=1).repeat(times, axis=2)
