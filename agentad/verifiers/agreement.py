"""Whether the mask is where the image was changed."""

from __future__ import annotations

from typing import Self

import numpy as np
from scipy import ndimage

from agentad.detectors.base import Floats
from agentad.verifiers.base import Candidates, Fault, Good, Mask, Pixels

FAINT = 4
"""Largest difference in any channel, in grey levels, that counts as no change."""
GAP = 0.02
"""Share of the image's longer side by which changed pixels may lie apart and still leave no gap."""


class Agreement:
    """How well mask and change agree, 0 to 1, higher = better: p r / (p + r − p r), an intersection over union.

    p is the share of the change |image − base| that lies inside the mask or beside it, r the share of the mask that was
    changed, gaps closed. It abstains on items without a base, on empty masks and on rows.
    """

    name = "agreement"
    checks = "whether the mask is where the change is"
    catches: tuple[Fault, ...] = ("invisible", "mismatched", "loose")
    good: tuple[Good, ...] = ("made",)
    costly = False

    def fit(self, normal: Candidates, real: Candidates, *, seed: int = 0) -> Self:
        """There is nothing to learn."""
        return self

    def measure(self, items: Candidates) -> Floats:
        """(n,) 0 to 1."""
        values = np.full(len(items), np.nan)
        if items.images is not None and items.masks is not None and items.bases is not None:
            for i, (image, mask, base) in enumerate(zip(items.images, items.masks, items.bases, strict=True)):
                if mask.any():
                    values[i] = _agreement(image, mask, base)
        return values


def _agreement(image: Pixels, mask: Mask, base: Pixels) -> float:
    change = np.abs(image.astype(np.int16) - base).max(axis=2)
    change[change <= FAINT] = 0
    if not change.any():
        return 0.0
    precision = float(change[_grown(mask, 1)].sum() / change.sum())
    gap = max(1, round(GAP * max(image.shape[:2])))
    recall = float(_closed(change > 0, gap)[mask].mean())
    union = precision + recall - precision * recall
    return precision * recall / union if union else 0.0


def _closed(mask: Mask, radius: int) -> Mask:
    """`mask` with gaps up to twice the `radius` filled."""
    return np.asarray(~_grown(~_grown(mask, radius), radius), dtype=np.bool_)


def _grown(mask: Mask, radius: int) -> Mask:
    """`mask` and what is within `radius` pixels of it, in squares."""
    return np.asarray(ndimage.maximum_filter(mask, 2 * radius + 1), dtype=np.bool_)
