"""Every metric of one method on the labelled test items."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentad.errors import AgentadError
from agentad.flow import Metrics
from agentad.metrics.intervals import bootstrap
from agentad.metrics.pixels import Tally, tally
from agentad.metrics.ranking import ap, auroc, by_type, f1max
from agentad.metrics.segmentation import PRO_LIMIT, Floats, Mask, PixelCounts, aupro, pixel_ap, pixel_auroc

Labels = NDArray[np.integer[Any]]

RANKING = {"auroc": auroc, "ap": ap, "f1max": f1max}


def evaluate(
    scores: Floats,
    labels: Labels,
    *,
    threshold: float | None = None,
    kinds: Sequence[str] | None = None,
    groups: Labels | None = None,
    map_at: Callable[[int], Floats] | None = None,
    mask_at: Callable[[int], Mask | None] | None = None,
    aupro_limit: float = PRO_LIMIT,
    seed: int = 0,
) -> Metrics:
    """What can be said about n scores (n,), higher = more anomalous; items of unknown label (-1) are left out.

    Anomalous images whose mask is not known, or marks nothing, are left out of the pixel metrics and counted.

    Args:
        scores: (n,) finite.
        labels: (n,) 1 anomalous, 0 normal, -1 unknown.
        threshold: items above it are flagged.
        kinds: (n,) type of anomaly, or empty. Each type's items are measured against all normal ones.
        groups: (n,) items that are no independent evidence; every item for itself by default.
        map_at: local scores (H, W) of item i, for pixel metrics.
        mask_at: ground truth (H, W) of item i, or None where there is none.
        aupro_limit: highest pixel false-positive rate that AUPRO looks at, above 0, at most 1.
        seed: of the bootstrap.

    Raises:
        AgentadError: scores that are not finite, or a limit out of range.
    """
    if not np.isfinite(scores).all():
        raise AgentadError("scores hold values that are not finite")
    if not 0 < aupro_limit <= 1:
        raise AgentadError(f"aupro-limit {aupro_limit:g}: give a rate above 0, at most 1")
    known = np.flatnonzero(labels >= 0)
    s, y = np.asarray(scores)[known], np.asarray(labels)[known]
    group = known if groups is None else np.asarray(groups)[known]
    kind = ["" if kinds is None else kinds[i] for i in known.tolist()]
    pixels = None if map_at is None or mask_at is None else _pixels(known, y, kind, map_at, mask_at)
    counted = pixels.tally if pixels else None
    types = _by_type(s, y, kind, counted, aupro_limit)
    intervals = bootstrap(s, y, group, seed=seed, kinds=kind, pixels=counted, limit=aupro_limit)
    return Metrics(
        auroc=auroc(s, y),
        ap=ap(s, y),
        f1max=f1max(s, y),
        **(_of_counts(counted.whole, aupro_limit) if counted else {}),
        aupro_limit=aupro_limit,
        intervals=intervals.whole,
        false_alarm_rate=_flagged(s[y == 0], threshold),
        recall=_flagged(s[y == 1], threshold),
        by_type=types,
        macro=_macro(types),
        by_type_intervals=intervals.by_type,
        macro_intervals=intervals.macro,
        by_category={},
        without_mask=pixels.without_mask if pixels else 0,
    )


@dataclass(frozen=True)
class _Pixels:
    tally: Tally
    without_mask: int
    """Anomalous images that are left out."""


def _pixels(
    known: Labels,
    labels: Labels,
    kinds: Sequence[str],
    map_at: Callable[[int], Floats],
    mask_at: Callable[[int], Mask | None],
) -> _Pixels:
    without: set[int] = set()

    def told(k: int) -> Mask | None:
        """A mask of an anomalous image that marks nothing does not say where the anomaly is."""
        mask = mask_at(int(known[k]))
        if labels[k] == 1 and (mask is None or not mask.any()):
            without.add(k)
            return None
        return mask

    kind = [name if label == 1 else None for name, label in zip(kinds, labels, strict=True)]
    counted = tally(len(known), lambda k: map_at(int(known[k])), told, kind)
    return _Pixels(counted, len(without))


def _of_counts(counts: PixelCounts, limit: float) -> dict[str, float | None]:
    return {"pixel_auroc": pixel_auroc(counts), "pixel_ap": pixel_ap(counts), "aupro": aupro(counts, limit)}


def _by_type(
    scores: Floats, labels: Labels, kinds: Sequence[str], pixels: Tally | None, limit: float
) -> dict[str, dict[str, float]]:
    """Each metric that can be told, by type and by name."""
    found: dict[str, dict[str, float]] = {}
    for metric, measure in RANKING.items():
        for name, value in by_type(scores, labels, kinds, measure).items():
            found.setdefault(name, {})[metric] = value
    for name in found:
        if pixels is not None and name in pixels.by_type:
            told = _of_counts(pixels.by_type[name], limit)
            found[name] |= {metric: value for metric, value in told.items() if value is not None}
    return found


def _macro(types: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """The mean of each metric over the types that have it."""
    names = dict.fromkeys(name for own in types.values() for name in own)
    return {name: fmean(own[name] for own in types.values() if name in own) for name in names}


def _flagged(scores: Floats, threshold: float | None) -> float | None:
    return float((scores > threshold).mean()) if threshold is not None and len(scores) else None
