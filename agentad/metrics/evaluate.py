"""Every metric of one method on the labelled test items."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentad.errors import AgentadError
from agentad.flow import Metrics
from agentad.metrics.intervals import bootstrap
from agentad.metrics.ranking import ap, auroc, by_type, f1max
from agentad.metrics.segmentation import Floats, Mask, aupro, count_pixels, pixel_ap, pixel_auroc

Labels = NDArray[np.integer[Any]]


def evaluate(
    scores: Floats,
    labels: Labels,
    *,
    threshold: float | None = None,
    kinds: Sequence[str] | None = None,
    groups: Labels | None = None,
    map_at: Callable[[int], Floats] | None = None,
    mask_at: Callable[[int], Mask | None] | None = None,
    seed: int = 0,
) -> Metrics:
    """What can be said about n scores (n,), higher = more anomalous; items of unknown label (-1) are left out.

    Args:
        scores: (n,) finite.
        labels: (n,) 1 anomalous, 0 normal, -1 unknown.
        threshold: items above it are flagged.
        kinds: (n,) type of anomaly, or empty.
        groups: (n,) items that are no independent evidence; every item for itself by default.
        map_at: local scores (H, W) of item i, for pixel metrics.
        mask_at: ground truth (H, W) of item i, or None where there is none.
        seed: of the bootstrap.
    """
    if not np.isfinite(scores).all():
        raise AgentadError("scores hold values that are not finite")
    known = np.flatnonzero(labels >= 0)
    s, y = np.asarray(scores)[known], np.asarray(labels)[known]
    group = known if groups is None else np.asarray(groups)[known]
    kind = [] if kinds is None else [kinds[i] for i in known.tolist()]
    return Metrics(
        auroc=auroc(s, y),
        ap=ap(s, y),
        f1max=f1max(s, y),
        intervals=bootstrap(s, y, group, seed=seed),
        false_alarm_rate=_flagged(s[y == 0], threshold),
        recall=_flagged(s[y == 1], threshold),
        by_type=by_type(s, y, kind) if kind else {},
        **_pixel_metrics(known, map_at, mask_at),
    )


def _flagged(scores: Floats, threshold: float | None) -> float | None:
    return float((scores > threshold).mean()) if threshold is not None and len(scores) else None


def _pixel_metrics(
    known: Labels, map_at: Callable[[int], Floats] | None, mask_at: Callable[[int], Mask | None] | None
) -> dict[str, Any]:
    if map_at is None or mask_at is None:
        return {}
    counts = count_pixels(len(known), lambda k: map_at(int(known[k])), lambda k: mask_at(int(known[k])))
    return {"pixel_auroc": pixel_auroc(counts), "pixel_ap": pixel_ap(counts), "aupro": aupro(counts)}
