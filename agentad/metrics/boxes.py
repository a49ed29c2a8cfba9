"""How well regions match the boxes that people drew: F-score per box, a match being an overlap above a limit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Box = tuple[int, int, int, int]
"""left, top, right, bottom; right and bottom exclusive."""
IOU = 0.33
"""Intersection over union above which a region counts as a box, as DeepPCB has it (arXiv 1902.06197)."""


def overlaps(found: Sequence[Box], truth: Sequence[Box]) -> NDArray[np.float64]:
    """Intersection over union (m, n) of m boxes with n."""
    a = np.asarray(found, dtype=np.float64).reshape(-1, 1, 4)
    b = np.asarray(truth, dtype=np.float64).reshape(1, -1, 4)
    sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    both = sides.clip(0).prod(axis=-1)
    area = [(box[..., 2:] - box[..., :2]).prod(axis=-1) for box in (a, b)]
    return np.asarray(both / np.maximum(area[0] + area[1] - both, 1e-12))


def matched(found: Sequence[Box], truth: Sequence[Box], iou: float = IOU) -> int:
    """How many of `found` are a box of `truth`: pairs above `iou`, the largest overlap first, each used once."""
    overlap = overlaps(found, truth)
    count = 0
    while overlap.size and overlap.max() > iou:
        i, j = np.unravel_index(int(overlap.argmax()), overlap.shape)
        overlap[i, :] = overlap[:, j] = 0
        count += 1
    return count


def box_f1(images: Iterable[tuple[Sequence[Any], Sequence[Any]]], iou: float = IOU) -> float | None:
    """F-score over the (found, true) boxes of all images: 2 matches / (found + true); None without any box."""
    hits = total = 0
    for found, truth in images:
        hits += matched(found, truth, iou)
        total += len(found) + len(truth)
    return 2 * hits / total if total else None
