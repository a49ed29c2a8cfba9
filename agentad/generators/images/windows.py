"""Square windows around an outline, at the size that a network sees."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agentad.diffusion.crops import scaled
from agentad.generators.images.base import Mask

Floats32 = NDArray[np.float32]


@dataclass(frozen=True)
class Window:
    """A square of an image."""

    top: int
    left: int
    side: int

    @property
    def box(self) -> tuple[slice, slice]:
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


def shrunk(shape: tuple[int, ...], longest: int) -> tuple[int, int]:
    """Height and width of an image of this shape when its longer side is at most `longest`."""
    ratio = max(1.0, max(shape[:2]) / longest)
    return max(1, round(shape[0] / ratio)), max(1, round(shape[1] / ratio))
