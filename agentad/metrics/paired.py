"""How sure it is that one detector does better than another on the same items.

Notation: Δ the difference of the metric (after − before), c_g what group g of anomalies contributes to it, e_j what
group j of normal items does. Each is found by leaving the group out: of a metric that is a mean over a mass M of
anomalies (items, regions, pixels), c_g = Δ − (1 − M_g / M) Δ_(−g). For AUROC and AUPRO the c_g add up to Δ, and for
AUROC they are the placement values of DeLong et al. 1988 (https://doi.org/10.2307/2531595); for the other metrics this
is the jackknife's approximation.

Tests have to agree, each sensitive to what the other cannot see, so the p-value is the largest one:

- signs: if the detectors are exchangeable, each c_g is as likely to be the other way round. All 2^k patterns of signs
  are looked at up to k = 14, else `FLIPS` random ones. Holds however few the anomalies and whatever their distribution
  is, as long as it is even-handed; normal items are taken as they are. Of k groups no p-value is below 2^-k.
- t: Δ over its standard error from both classes, as DeLong's, against Student's t with the degrees of freedom
  of the smaller class, which errs towards too large a p-value. Sees that few normal items may have moved all
  anomalies at once.
- t over folds, where several models scored the items: the same with all items of one model as one piece of evidence.
  Sees that one model may have been lucky. Without it, 60 anomalies scored out of 5 folds let twice too many useless
  candidates pass.

None sees a harm that no anomaly at hand shows: of a detector that is a little better on nine kinds and blind to a
tenth, few anomalies say that it is better.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from agentad.errors import AgentadError
from agentad.metrics.intervals import BATCH, DRAWS, FEWEST_DRAWS, MOST_WORK, Interval, ranked
from agentad.metrics.pixels import Tally
from agentad.metrics.segmentation import PRO_LIMIT, Floats, PixelCounts, areas, overlaps, precisions

Labels = NDArray[np.integer[Any]]
Bools = NDArray[np.bool_]

RANKING = ("auroc", "ap")
PIXEL = ("pixel_auroc", "pixel_ap", "aupro")
METRICS = (*RANKING, *PIXEL, *(f"macro_{name}" for name in (*RANKING, *PIXEL)))
EXACT = 14
"""Groups up to which every pattern of signs is looked at."""
FLIPS = 10_000
MOST_BLOCKS = 300
"""Groups of either class beyond this many are left out some at a time."""
ROUNDING = 1e-9
"""Differences below this are those of floating-point sums."""


@dataclass(frozen=True)
class Difference:
    """Two detectors on the same items."""

    before: float
    after: float
    interval: Interval
    """Of after − before, from a bootstrap of groups within their class, with `level` beyond each end."""
    better: float
    """p-value of after being better: small if it demonstrably is."""
    worse: float
    """p-value of after being worse."""
    anomalies: int
    """Anomalous items that have a say: for pixels those with a mask."""
    groups: int
    """Groups that they form."""
    normals: int


def compare(
    before: Floats,
    after: Floats,
    labels: Labels,
    groups: Labels,
    *,
    metric: str,
    level: float = 0.05,
    seed: int = 0,
    folds: Labels | None = None,
    kinds: Sequence[str] | None = None,
    pixels: tuple[Tally, Tally] | None = None,
    limit: float = PRO_LIMIT,
) -> Difference | None:
    """What n items say about two detectors; None without both classes. Only the order of each one's scores counts.

    Args:
        before: (n,) scores, higher = more anomalous.
        after: (n,) scores of the other detector, on any scale.
        labels: (n,) 1 anomalous, 0 normal.
        groups: (n,) items of one group are no independent evidence.
        metric: of `METRICS`. `macro_` takes the mean over the `kinds` of anomalies, each against all normal items.
        level: of the interval.
        seed: of the bootstrap, and of the signs of many groups.
        folds: (n,) which of several models scored each item, -1 where none in particular did, if there were several.
        kinds: (n,) type of each anomaly; anomalies without one have no say in a macro metric.
        pixels: for pixel metrics, what `metrics.pixels.tally` counted of either detector's maps of these items.
        limit: of AUPRO.

    Raises:
        AgentadError: scores that are not finite, or an unknown metric, or one of pixels without these.
    """
    view = _view(before, after, labels, metric, kinds, pixels, limit)
    side = np.where((view.mass > 0).any(axis=0), 1, np.where(view.normal > 0, 0, -1))
    if not (view.mass > 0).any() or not (view.normal > 0).any():
        return None
    rng = np.random.default_rng(seed)
    strata = _strata(groups, side)
    whole = view.values(np.ones((1, len(labels))))[..., 0]  # (parts, 2)
    fold = np.full(len(labels), -1) if folds is None else np.asarray(folds)
    contributions = _contributions(view, strata, fold, rng)
    draws = np.concatenate([_gain(view.values(weights)) for weights in _draws(strata, len(labels), rng)])
    low, high = np.nanquantile(draws, [level, 1 - level])
    first, second = whole.mean(axis=0) if view.fine is None else view.fine
    off = (second - first) - float((whole[:, 1] - whole[:, 0]).mean())
    return Difference(
        before=float(first),
        after=float(second),
        interval=(float(low + off), float(high + off)),
        better=contributions.p_value(rng, 1),
        worse=contributions.p_value(rng, -1),
        anomalies=int((side == 1).sum()),
        groups=len(np.unique(groups[side == 1])),
        normals=int((view.normal > 0)[labels == 0].sum()),
    )


@dataclass(frozen=True)
class _View:
    """How a metric looks at the items."""

    values: Callable[[Floats], Floats]
    """The metric (parts, 2, draws) of items that count `weights` (draws, n) times, for either detector."""
    mass: Floats
    """(parts, n) what each anomaly weighs in its part: 1, its regions or its pixels."""
    normal: Floats
    """(n,) what each item weighs among the normal ones."""
    fine: tuple[float, float] | None = None
    """The metric of either detector where `values` only come near it."""


def _view(
    before: Floats,
    after: Floats,
    labels: Labels,
    metric: str,
    kinds: Sequence[str] | None,
    pixels: tuple[Tally, Tally] | None,
    limit: float,
) -> _View:
    if metric not in METRICS:
        raise AgentadError(f"metric {metric!r}: give one of {', '.join(METRICS)}")
    if not (np.isfinite(before).all() and np.isfinite(after).all()):
        raise AgentadError("scores to compare hold values that are not finite")
    name = metric.removeprefix("macro_")
    anomalous = labels == 1
    kind = np.asarray([""] * len(labels) if kinds is None else kinds, dtype=np.object_)
    names = sorted({str(k) for k in kind[anomalous] if k}) if name != metric else []
    if name != metric and not names:
        raise AgentadError(f"metric {metric}: no anomaly has a type; use {name}")
    parts = np.array([anomalous & (kind == one) for one in names] if names else [anomalous])
    if name in RANKING:
        return _ranking_view(np.stack([before, after]), labels == 0, parts, name)
    if pixels is None:
        raise AgentadError(f"metric {metric}: needs the score maps of both detectors and the masks")
    return _pixel_view(pixels, labels == 0, parts, names, name, limit)


def _ranking_view(scores: Floats, normal: Bools, parts: Bools, name: str) -> _View:
    def values(weights: Floats) -> Floats:
        found = []
        for part in parts:
            own = normal | part
            found.append([ranked(one[own], part[own], weights[:, own])[name] for one in scores])
        return np.array(found)

    return _View(values, parts.astype(np.float64), normal.astype(np.float64))


def _pixel_view(
    pixels: tuple[Tally, Tally], normal: Bools, parts: Bools, names: Sequence[str], name: str, limit: float
) -> _View:
    measures: dict[str, Callable[[PixelCounts], Floats]] = {
        "pixel_auroc": areas,
        "pixel_ap": precisions,
        "aupro": lambda counts: overlaps(counts, limit),
    }
    measure = measures[name]
    images = pixels[0].images
    mass = np.where(parts, images.regions if name == "aupro" else images.anomalous.sum(axis=1), 0.0)
    told: Bools = np.asarray((mass > 0).any(axis=1))
    parts, mass = parts[told], mass[told]
    known = [one for one, told_of in zip(names, told, strict=True) if told_of] if names else []

    def values(weights: Floats) -> Floats:
        return np.array([[measure(tally.images.drawn(weights, normal | part)) for tally in pixels] for part in parts])

    whole = [[tally.by_type[one] for one in known] if names else [tally.whole] for tally in pixels]
    fine = [float(np.mean([measure(counts) for counts in one])) if len(parts) else np.nan for one in whole]
    return _View(values, mass, np.where(normal, images.normal.sum(axis=1), 0.0), (fine[0], fine[1]))


def _gain(values: Floats) -> Floats:
    """After − before, (draws,): the mean over the parts that a draw can tell."""
    gain = values[:, 1] - values[:, 0]
    there = ~np.isnan(gain)
    mean: Floats = np.where(there, gain, 0).sum(axis=0) / np.maximum(there.sum(axis=0), 1)
    return mean


@dataclass(frozen=True)
class _Strata:
    """Groups by what they hold, so that no resample misses a class."""

    anomalous: list[NDArray[np.int64]]
    """Items of each group that holds nothing but anomalies."""
    mixed: list[NDArray[np.int64]]
    """Of each group that holds both classes."""
    normal: list[NDArray[np.int64]]


def _strata(groups: Labels, side: Labels) -> _Strata:
    found = _Strata([], [], [])
    used = np.flatnonzero(side >= 0)
    order = used[np.argsort(groups[used], kind="stable")]
    for items in np.split(order, np.flatnonzero(np.diff(groups[order])) + 1):
        own = side[items]
        (found.normal if not own.any() else found.anomalous if own.all() else found.mixed).append(items)
    return found


def _draws(strata: _Strata, n: int, rng: np.random.Generator) -> Iterator[Floats]:
    """How often each of n items was drawn, (draws, n), some draws at a time; groups are drawn within their stratum."""
    draws = int(np.clip(MOST_WORK // n, FEWEST_DRAWS, DRAWS))
    size = max(1, BATCH // max(n, 1024))
    for start in range(0, draws, size):
        some = min(size, draws - start)
        weights = np.zeros((some, n))
        for stratum in (strata.anomalous, strata.mixed, strata.normal):
            if stratum:
                k = len(stratum)
                drawn = rng.integers(0, k, size=(some, k)) + np.arange(some)[:, None] * k
                times = np.bincount(drawn.ravel(), minlength=some * k).reshape(some, k)
                weights[:, np.concatenate(stratum)] = np.repeat(times, [len(items) for items in stratum], axis=1)
        yield weights


@dataclass(frozen=True)
class _Side:
    """What groups of one class contribute to the mean over the parts of after − before."""

    own: Floats
    """(k,)"""
    share: Floats
    """(k,) of the mass of the class, each part as heavy as the others."""
    fold: Labels
    """(k,) that the group was scored in, -1 for none."""

    @property
    def off(self) -> Floats:
        """(k,) how far each is from its share of them all."""
        off: Floats = self.own - self.share * self.own.sum()
        return off


@dataclass(frozen=True)
class _Contributions:
    """The c_g and the e_j."""

    gain: float
    anomalous: _Side
    normal: _Side

    def p_value(self, rng: np.random.Generator, sign: int) -> float:
        """One-sided: of Δ times `sign` being this large if neither were better."""
        sides = [side for side in (self.anomalous, self.normal) if len(side.own)]
        if any(len(side.own) < 2 for side in sides):
            return 1.0
        items = self._t(sign, [side.off for side in sides])
        # what the c_g of a metric that is no mean fail to add up to is shared out
        adding_up = self.anomalous.off + self.anomalous.share * self.gain
        return max(_signs(sign * adding_up, rng), items, self._folds(sign, sides))

    def _folds(self, sign: int, sides: Sequence[_Side]) -> float:
        """The t test with all that was scored in one fold as one piece of evidence."""
        off = np.concatenate([side.off for side in sides])
        fold = np.concatenate([side.fold for side in sides])
        inside = fold >= 0
        if not inside.any():
            return 0.0
        member = np.unique(fold[inside], return_inverse=True)[1]
        if member.max() == 0:
            return 1.0
        free = [side.off[side.fold < 0] for side in sides]
        together: Floats = np.bincount(member, off[inside]).astype(np.float64)
        return self._t(sign, [together, *(one for one in free if len(one) > 1)])

    def _t(self, sign: int, parts: Sequence[Floats]) -> float:
        """Of independent parts, each the deviations of independent pieces of evidence."""
        gain = sign * self.gain
        spread = [float((off**2).sum()) * len(off) / (len(off) - 1) for off in parts]
        error = sum(spread)
        if error <= ROUNDING**2:
            return 0.0 if gain > ROUNDING else 1.0
        freedom = min(len(off) for off in parts) - 1
        return float(stats.t.sf(gain / np.sqrt(error), freedom))


def _signs(own: Floats, rng: np.random.Generator) -> float:
    """The share of patterns of signs (k,) under which contributions (k,) add up to at least what they do."""
    k = len(own)
    if k <= EXACT:
        signs = 1 - 2 * ((np.arange(1 << k)[:, None] >> np.arange(k)) & 1)
    else:
        signs = 1 - 2 * np.concatenate([np.zeros((1, k), np.int8), rng.integers(0, 2, size=(FLIPS, k), dtype=np.int8)])
    return float((signs @ own >= own.sum() - ROUNDING).mean())


def _contributions(view: _View, strata: _Strata, folds: Labels, rng: np.random.Generator) -> _Contributions:
    own, others = _blocks([*strata.anomalous, *strata.mixed], folds, rng), _blocks(strata.normal, folds, rng)
    n = view.mass.shape[1]
    whole = view.values(np.ones((1, n)))
    gain = whole[:, 1] - whole[:, 0]  # (parts, 1)
    total = view.mass.sum(axis=1)
    share = np.array([[part[items].sum() for items in own] for part in view.mass]) / total[:, None]  # (parts, k)
    # a part that consists of one group is nothing without it
    terms = gain - np.where(share < 1 - ROUNDING, (1 - share) * np.nan_to_num(_left_out(view, own, n)), 0.0)
    normal_share = np.array([view.normal[items].sum() for items in others]) / view.normal.sum()
    normal = gain.mean() - (1 - normal_share) * np.nan_to_num(_left_out(view, others, n).mean(axis=0))
    return _Contributions(
        float(gain.mean()),
        _Side(terms.mean(axis=0), share.mean(axis=0), _fold(own, folds)),
        _Side(normal, normal_share, _fold(others, folds)),
    )


def _fold(blocks: Sequence[NDArray[np.int64]], folds: Labels) -> Labels:
    return np.array([folds[items[0]] for items in blocks], dtype=np.int64)


def _left_out(view: _View, blocks: Sequence[NDArray[np.int64]], n: int) -> Floats:
    """After − before (parts, blocks) without each of the blocks."""
    found = [np.zeros((len(view.mass), 0))]
    size = max(1, BATCH // n)
    for start in range(0, len(blocks), size):
        some = blocks[start : start + size]
        weights = np.ones((len(some), n))
        for row, items in zip(weights, some, strict=True):
            row[items] = 0
        values = view.values(weights)
        found.append(values[:, 1] - values[:, 0])
    return np.concatenate(found, axis=1)


def _blocks(groups: Sequence[NDArray[np.int64]], folds: Labels, rng: np.random.Generator) -> list[NDArray[np.int64]]:
    """The groups, or random unions of about as many of them each, of one fold as far as that goes."""
    if len(groups) <= MOST_BLOCKS:
        return list(groups)
    order = rng.permutation(len(groups))
    order = order[np.argsort(_fold(groups, folds)[order], kind="stable")]
    return [np.concatenate([groups[g] for g in some]) for some in np.array_split(order, MOST_BLOCKS)]
