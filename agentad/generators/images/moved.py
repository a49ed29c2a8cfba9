"""A real defect's pixels, moved to where its outline came to lie, in the light of the place."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from agentad.generators.images.base import Defect, Mask, Pixels
from agentad.generators.images.masks import Move

Floats32 = NDArray[np.float32]
Box = tuple[slice, slice]
_RING = 4
"""Width in pixels of the surroundings whose colours are compared."""


def lit(defect: Defect, move: Move, normal: Pixels, inside: Mask, box: Box) -> Floats32:
    """The defect's image as it comes to lie in the `box` of `normal` (H, W, 3), grey levels 0 to 255.

    It is made lighter or darker by as much as what surrounds `inside`, of the box's size, is here compared with there.
    """
    there = np.stack([move.warp(defect.image[..., c].astype(np.float32), box) for c in range(3)], axis=-1)
    ring = ndimage.binary_dilation(inside, iterations=_RING) & ~inside
    lighter = np.median(normal[box][ring] - there[ring], axis=0) if ring.any() else np.zeros(3)
    return np.clip(there + lighter, 0, 255).astype(np.float32)


def moved(defect: Defect, move: Move, normal: Pixels, mask: Mask, box: Box) -> Floats32:
    """The `box` of `normal` (H, W, 3) with the defect's pixels inside `mask` (H, W), grey levels 0 to 255."""
    inside = mask[box]
    return np.where(inside[..., None], lit(defect, move, normal, inside, box), normal[box]).astype(np.float32)
