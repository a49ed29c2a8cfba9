"""Square windows around an outline, and putting what was painted there back into the image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from agentad.diffusion.crops import scaled
from agentad.generators.images.base import Mask, Pixels

Floats32 = NDArray[np.float32]

VISIBLE = 6.0
"""Grey levels, in the channel that changed most, from which a change is taken to be visible."""
LEAST = 4
"""Pixels of an anomaly at least."""
_FEATHER = 1.5
"""Pixels inside an outline over which a change fades in."""


@dataclass(frozen=True)
class Window:
    """A square of an image."""

    top: int
    left: int
    side: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """For arrays (H, W, ...)."""
        return slice(self.top, self.top + self.side), slice(self.left, self.left + self.side)


def window_of(mask: Mask, least: int) -> Window:
    """The square around a mask (H, W): 1.3 times its extent and at least `least` pixels wide, within the image."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    extent = max(rows[-1] - rows[0], columns[-1] - columns[0]) + 1
    side = min(max(least, int(np.ceil(1.3 * extent))), *mask.shape)
    top = int(np.clip((rows[0] + rows[-1] + 1 - side) // 2, 0, mask.shape[0] - side))
    left = int(np.clip((columns[0] + columns[-1] + 1 - side) // 2, 0, mask.shape[1] - side))
    return Window(top, left, side)


def scaled_mask(mask: Mask, height: int, width: int) -> Mask:
    """`mask` (h, w) at another size: True where at least a quarter of a pixel is."""
    share = scaled(mask[..., None], height, width)[..., 0]
    return np.asarray(share >= min(0.25, max(float(share.max()), 1e-6)))


def changed(normal: Pixels, change: Floats32, mask: Mask) -> tuple[Pixels, Mask] | None:
    """`normal` (H, W, 3) plus a `change` in grey levels, fading in from the mask's border, and where that is visible.

    Outside the mask that is returned, nothing is changed. None where nothing is visible.
    """
    fade = np.clip(ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1] / _FEATHER, 0, 1)
    image = np.clip(np.rint(normal + fade[..., None] * change), 0, 255)
    seen = np.abs(image - normal).max(axis=2) >= VISIBLE
    seen = ndimage.binary_fill_holes(ndimage.binary_closing(np.pad(seen, 4), iterations=2))[4:-4, 4:-4] & mask
    seen = _without_specks(seen)
    if seen.sum() < LEAST:
        return None
    return np.where(seen[..., None], image, normal).astype(np.uint8), seen


def _without_specks(mask: Mask) -> Mask:
    labels, count = ndimage.label(mask, np.ones((3, 3)))
    if not count:
        return mask
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return np.asarray((sizes >= max(LEAST, 0.05 * sizes.max()))[labels])
