"""What the table detectors share about the nearest references of a row."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from agentad.detectors.base import Floats
from agentad.memory.neighbours import Floats32

NEAREST = 10
"""References that a row is compared with."""
_BATCH_VALUES = 1 << 19
"""Neighbour coordinates held at once: few enough to stay in the processor's cache."""


def batches(x: Floats) -> Iterator[slice]:
    """Consecutive slices of the rows x (n, d)."""
    size = min(max(64, _BATCH_VALUES // (NEAREST * x.shape[1])), 8192)
    return (slice(start, start + size) for start in range(0, len(x), size))


def kernel(distances: Floats32, h: float) -> Floats32:
    """Gaussian weights (m, k) of neighbours at distances (m, k), nearest first, each row summing to 1."""
    squared = distances.astype(np.float64) ** 2
    weights = np.exp((squared[:, :1] - squared) / (2 * h * h))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), dtype=np.float32)


def mean_distance(distances: Floats32) -> Floats:
    """Mean of each row (n, k) over the places that are filled; infinite where none is."""
    filled = np.isfinite(distances)
    count = filled.sum(axis=1)
    total = np.where(filled, distances, 0).sum(axis=1, dtype=np.float64)
    return np.asarray(np.where(count > 0, total / np.maximum(count, 1), np.inf))


def typical_distance(distances: Floats32) -> float:
    """Median over rows of the mean of distances (n, k). Where that is 0, copies do not count. Never 0."""
    means = mean_distance(distances)
    if np.median(means) == 0:
        means = means[means > 0]
    return float(np.median(means)) if len(means) else 1.0
