"""How far a metric could move with other test items: 95 % percentile bootstrap, groups drawn together.

Ranking metrics are exact for each draw. Pixel metrics are those of coarse counts (`metrics.pixels`), of which a draw
only has to take weighted sums; each interval is then moved by what the coarse counts differ from the fine ones on the
items as they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentad.metrics.pixels import Tally
from agentad.metrics.segmentation import PRO_LIMIT, PixelCounts, areas, overlaps, precisions

Floats = NDArray[np.floating[Any]]
Labels = NDArray[np.integer[Any]]
Interval = tuple[float, float]

DRAWS = 1000
FEWEST_DRAWS = 200
MOST_WORK = 20_000_000
"""Draws times items; larger test sets, whose intervals are narrow, get fewer draws down to `FEWEST_DRAWS`."""
MOST_TYPE_WORK = 100_000_000
"""The fewest draws times items times types of anomaly: beyond that types and their mean get no intervals."""
BATCH = 2_000_000
LEVEL = (0.025, 0.975)


@dataclass(frozen=True)
class Intervals:
    """95 % intervals by metric; those of a metric that no draw could tell are absent."""

    whole: dict[str, Interval] = field(default_factory=dict)
    by_type: dict[str, dict[str, Interval]] = field(default_factory=dict)
    """By type of anomaly, then by metric."""
    macro: dict[str, Interval] = field(default_factory=dict)
    """Of the mean over the types."""


def bootstrap(
    scores: Floats,
    labels: Labels,
    groups: Labels,
    *,
    seed: int,
    kinds: Sequence[str] | None = None,
    pixels: Tally | None = None,
    limit: float = PRO_LIMIT,
) -> Intervals:
    """95 % intervals of `auroc`, `ap` and `f1max`, and of `pixel_auroc`, `pixel_ap` and `aupro` with `pixels`.

    Whole groups are drawn with replacement, so that near-duplicates do not pass for independent evidence. Draws that
    miss a class say nothing and are left out; so are all without both classes. A draw's mean over types is over those
    that it holds.

    Args:
        scores: (n,) higher = more anomalous.
        labels: (n,) 1 anomalous, 0 normal.
        groups: (n,) items of one group are drawn together.
        seed: of the draws.
        kinds: (n,) type of each anomaly, or empty.
        pixels: what `metrics.pixels.tally` counted of the same n items.
        limit: of AUPRO.
    """
    n = len(scores)
    if not ((labels == 0).any() and (labels == 1).any()):
        return Intervals()
    kind = np.asarray([""] * n if kinds is None else kinds, dtype=np.object_)
    names = sorted({str(k) for k in kind[labels == 1] if k})
    if FEWEST_DRAWS * n * len(names) > MOST_TYPE_WORK:
        names = []
    chosen = {"": np.ones(n, bool)} | {name: (labels == 0) | ((labels == 1) & (kind == name)) for name in names}
    parts: dict[str, list[dict[str, Floats]]] = {name: [] for name in chosen}
    for weights in _draws(groups, np.random.default_rng(seed)):
        counted = {} if pixels is None else _counted(pixels, weights, labels, kind, names)
        for name, own in chosen.items():
            found = ranked(scores[own], labels[own] == 1, weights[:, own])
            parts[name].append(found | (_pixel_metrics(counted[name], limit) if name in counted else {}))
    values = {name: {key: np.concatenate([p[key] for p in own]) for key in own[0]} for name, own in parts.items()}
    if pixels is not None:
        _shift(values, pixels, limit)
    whole = values.pop("")
    return Intervals(_intervals(whole), {name: _intervals(own) for name, own in values.items()}, _macro(values))


def _draws(groups: Labels, rng: np.random.Generator) -> Iterator[Floats]:
    """How often each of the n items was drawn, (draws, n), some draws at a time."""
    group = np.unique(groups, return_inverse=True)[1]
    n, count = len(group), int(group.max()) + 1
    draws = int(np.clip(MOST_WORK // n, FEWEST_DRAWS, DRAWS))
    size = max(1, BATCH // max(n, 1024))
    for start in range(0, draws, size):
        some = min(size, draws - start)
        drawn = rng.integers(0, count, size=(some, count)) + np.arange(some)[:, None] * count
        times = np.bincount(drawn.ravel(), minlength=some * count).reshape(some, count)
        yield times[:, group].astype(np.float64)


def ranked(scores: Floats, anomalous: NDArray[np.bool_], weights: Floats) -> dict[str, Floats]:
    """`auroc`, `ap` and `f1max` of items that count `weights` (draws, n) times, each (draws,); NaN without a class."""
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    ends = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))  # last position of each run of ties
    return _metrics(weights[:, order], anomalous[order], ends)


def _metrics(weights: Floats, anomalous: NDArray[np.bool_], ends: Labels) -> dict[str, Floats]:
    """The metrics of each draw, (draws,); items come highest score first. NaN where a class is missing."""
    caught = np.cumsum(weights * anomalous, axis=1)[:, ends]
    flagged = np.cumsum(weights, axis=1)[:, ends]
    false = flagged - caught
    P, N = caught[:, -1:], false[:, -1:]
    with np.errstate(invalid="ignore", divide="ignore"):
        more, more_false = np.diff(caught, prepend=0.0), np.diff(false, prepend=0.0)
        area = (more_false * (caught - more / 2)).sum(axis=1) / (P * N)[:, 0]
        # A run of ties nobody was drawn from adds no recall, whatever its precision.
        precision = np.divide(caught, flagged, out=np.zeros_like(caught), where=flagged > 0)
        ap = (more * precision).sum(axis=1) / P[:, 0]
        f1max = (2 * caught / (P + flagged)).max(axis=1)
    missing = (P[:, 0] == 0) | (N[:, 0] == 0)
    return {name: np.where(missing, np.nan, v) for name, v in (("auroc", area), ("ap", ap), ("f1max", f1max))}


def _counted(
    pixels: Tally, weights: Floats, labels: Labels, kind: NDArray[Any], names: Sequence[str]
) -> dict[str, PixelCounts]:
    """Coarse counts of each draw, (draws, bins): of everything under "", and of each type with all normal items."""
    typed = (labels == 1) & np.isin(kind, names)
    normal = pixels.images.drawn(weights, labels == 0)
    own = {name: pixels.images.drawn(weights, (labels == 1) & (kind == name)) for name in names}
    rest = pixels.images.drawn(weights, (labels == 1) & ~typed)
    return {"": _added(normal, rest, *own.values()), **{name: _added(normal, part) for name, part in own.items()}}


def _added(*counts: PixelCounts) -> PixelCounts:
    names = ("anomalous", "normal", "overlap", "regions")
    return PixelCounts(*(sum(getattr(c, name) for c in counts) for name in names))


def _pixel_metrics(counts: PixelCounts, limit: float) -> dict[str, Floats]:
    return {"pixel_auroc": areas(counts), "pixel_ap": precisions(counts), "aupro": overlaps(counts, limit)}


def _shift(values: Mapping[str, dict[str, Floats]], pixels: Tally, limit: float) -> None:
    """Move the draws of each pixel metric by how far the coarse counts of all items are off."""
    for name, fine in {"": pixels.whole, **pixels.by_type}.items():
        if name in values and fine.both:
            coarse = pixels.coarse(name)
            for key, exact in _pixel_metrics(fine, limit).items():
                off = exact - _pixel_metrics(coarse, limit)[key]
                values[name][key] = np.clip(values[name][key] + off, 0, 1)


def _intervals(values: Mapping[str, Floats]) -> dict[str, Interval]:
    return {name: _interval(draws) for name, draws in values.items() if not np.isnan(draws).all()}


def _macro(values: Mapping[str, Mapping[str, Floats]]) -> dict[str, Interval]:
    if not values:
        return {}
    found = {}
    for key in next(iter(values.values())):
        table = np.array([own[key] for own in values.values()])  # (types, draws)
        there = ~np.isnan(table)
        told = there.any(axis=0)
        if told.any():
            found[key] = _interval(np.where(there, table, 0).sum(axis=0)[told] / there.sum(axis=0)[told])
    return found


def _interval(values: Floats) -> Interval:
    low, high = np.nanquantile(values, LEVEL)
    return float(low), float(high)
