"""How far a metric could move with other test items: 95 % percentile bootstrap, groups drawn together."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Labels = NDArray[np.integer[Any]]

DRAWS = 1000
FEWEST_DRAWS = 200
MOST_WORK = 20_000_000
"""Draws times items; larger test sets, whose intervals are narrow, get fewer draws down to `FEWEST_DRAWS`."""
BATCH = 2_000_000
LEVEL = (0.025, 0.975)


def bootstrap(scores: Floats, labels: Labels, groups: Labels, *, seed: int) -> dict[str, tuple[float, float]]:
    """95 % intervals of `auroc`, `ap` and `f1max`; empty when only one class is present.

    Whole groups are drawn with replacement, so that near-duplicates do not pass for independent evidence. Draws that
    miss a class say nothing and are left out.

    Args:
        scores: (n,) higher = more anomalous.
        labels: (n,) 1 anomalous, 0 normal.
        groups: (n,) items of one group are drawn together.
        seed: of the draws.
    """
    n = len(scores)
    if not ((labels == 0).any() and (labels == 1).any()):
        return {}
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    ends = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))  # last position of each run of ties
    group = np.unique(groups, return_inverse=True)[1][order]
    rng = np.random.default_rng(seed)
    draws = int(np.clip(MOST_WORK // n, FEWEST_DRAWS, DRAWS))
    size = max(1, BATCH // n)
    parts = [
        _metrics(_weights(group, min(size, draws - start), rng), labels[order] == 1, ends)
        for start in range(0, draws, size)
    ]
    values = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return {name: _interval(value) for name, value in values.items() if not np.isnan(value).all()}


def _weights(group: Labels, draws: int, rng: np.random.Generator) -> Floats:
    """How often each item was drawn, (draws, n)."""
    count = int(group.max()) + 1
    drawn = rng.integers(0, count, size=(draws, count)) + np.arange(draws)[:, None] * count
    times = np.bincount(drawn.ravel(), minlength=draws * count).reshape(draws, count)
    return times[:, group].astype(np.float64)


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


def _interval(values: Floats) -> tuple[float, float]:
    low, high = np.nanquantile(values, LEVEL)
    return float(low), float(high)
