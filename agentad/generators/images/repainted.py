"""Residual paste that a diffusion model paints over: outlines, places and what is visible are the paste's own."""

from __future__ import annotations

import hashlib
import zlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentad.generators.images.base import Mask, Pixels
from agentad.generators.images.masks import Outline, Scene
from agentad.generators.images.paste import ResidualPaste
from agentad.generators.images.trial import Change
from agentad.generators.images.windows import Window, window_of

Floats32 = NDArray[np.float32]


class Repainted(ResidualPaste, ABC):
    """Starts where residual paste ends, so that the two differ in the pixels inside the outlines alone."""

    @abstractmethod
    def _painted(
        self, image: Pixels, start: Floats32, region: Mask, window: Window, outline: Outline, seed: Sequence[int]
    ) -> Floats32:
        """The window of `image` (H, W, 3) painted inside `region` (s, s), in grey levels (s, s, 3).

        `start` (s, s, 3) is the window with the defect pasted.
        """

    def _least(self, image: Pixels) -> int:
        """Side of the smallest window, in pixels of `image`."""
        return 64

    def _change(self, image: Pixels, scene: Scene, outline: Outline) -> Change:
        pasted, region, box = super()._change(image, scene, outline)
        if not region.any():
            return pasted, region, box
        whole, inside = np.zeros(image.shape, dtype=np.float32), np.zeros(image.shape[:2], dtype=np.bool_)
        whole[box], inside[box] = pasted, region
        window = window_of(inside, self._least(image))
        normal = image[window.box].astype(np.float32)
        # an outline is never drawn twice, so that it serves as the seed of what is painted into it
        seed = (zlib.crc32(inside.tobytes()), zlib.crc32(pasted.tobytes()))
        start = np.clip(normal + whole[window.box], 0, 255)
        painted = self._painted(image, start, inside[window.box], window, outline, seed)
        whole[window.box] = np.where(inside[window.box][..., None], painted - normal, 0)
        return whole[box], region, box


def digest(*parts: Any) -> str:
    """SHA-256 of arrays, lists of arrays and integers, as hexadecimal digits."""
    digest = hashlib.sha256()
    for part in parts:
        for array in [np.asarray(part)] if isinstance(part, int) else part:
            digest.update(f"{array.shape}{array.dtype}".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
