"""The image itself, for detectors that model pixels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from agentad.backbones import settings
from agentad.backbones.encoder import Image
from agentad.backbones.pixels import resized
from agentad.backbones.threads import torch_threads


class RawPixels:
    """Images scaled to a square: float16 of shape (n, size, size, 3), from 0 (black) to 1.

    Not features: distances between these say little. Detectors that want them name this encoder on their cards.
    """

    name = "pixels"

    def __init__(self, *, size: int = 64) -> None:
        self._size = size

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The encoder that `save` wrote.

        Raises:
            DetectorRefused: the folder is incomplete or damaged.
        """
        return cls(size=settings.read(folder, {"size": int})["size"])

    def shaped(self, *, aspect: float, pixels: float) -> Self:
        """Itself: the picture is square whatever the images' shape."""
        return self

    @property
    def channels(self) -> int:
        """Red, green and blue."""
        return 3

    @property
    def grid(self) -> tuple[int, int]:
        """(rows, columns) of pixels."""
        return self._size, self._size

    def encode(self, images: Sequence[Image]) -> NDArray[np.float16]:
        """(n, size, size, 3) float16 values of n images."""
        found = np.empty((len(images), *self.grid, 3), np.float16)
        with torch_threads():
            for number, image in enumerate(images):
                found[number] = resized(image, self._size, self._size).permute(1, 2, 0).numpy() / np.float32(255)
        return found

    def save(self, folder: Path) -> None:
        """Write the settings; there is nothing else."""
        settings.write(folder, self.name, {"size": self._size})


def to_bytes(x: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Values of `encode`, or any others meant to lie in 0 to 1, as uint8 images of the same shape."""
    scaled: NDArray[np.uint8] = np.rint(np.clip(x.astype(np.float32), 0, 1) * 255).astype(np.uint8)
    return scaled
