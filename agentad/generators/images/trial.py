"""Trying until what can be seen of an anomaly is as its brief wants it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from agentad.flow import Brief
from agentad.generators.images.base import DrawnImage, Mask, Pixels
from agentad.generators.images.blend import Box, Floats, laid
from agentad.generators.images.masks import Outline, Scene, area

TRIES = 4

Change = tuple[Floats, Mask, Box]
"""(h, w, 3) grey levels, the region (h, w) it may touch, and the box of the image that both cover."""


def drawn_by(
    brief: Brief,
    image: Pixels,
    index: int,
    scene: Scene,
    outline_for: Callable[[Brief], Outline | None],
    change_for: Callable[[Outline], Change],
) -> DrawnImage | None:
    """An anomaly whose visible part is as the brief wants it, after a few tries; None if none was.

    What can be seen is often smaller than its outline, so that a size that was missed is corrected in the next try.
    """
    wanted, where = brief, None if brief.place is None else area(brief.place, scene)
    for _ in range(TRIES):
        outline = outline_for(wanted)
        if outline is None:
            continue
        change, region, box = change_for(outline)
        made = laid(image, change, region, box)
        if made is None:
            continue
        pixels, mask = made
        if brief.size is not None and not brief.size[0] <= mask.mean() <= brief.size[1]:
            wanted = _resized(brief, brief.size, float(outline.mask.mean() / mask.mean()))
            continue
        if where is None or where[_middle(mask)]:
            return DrawnImage(pixels, mask, index, outline.anomaly, outline.kind)
    return None


def _resized(brief: Brief, size: tuple[float, float], by: float) -> Brief:
    """With a size that comes out as `size` when `by` times as much is drawn as is seen."""
    low, high = (min(share * by, 1.0) for share in size)
    return brief.model_copy(update={"size": (low, high)})


def _middle(mask: Mask) -> tuple[int, int]:
    row, column = np.rint(np.argwhere(mask).mean(axis=0)).astype(int)
    return int(row), int(column)
