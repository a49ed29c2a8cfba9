"""The pixels themselves, averaged over small blocks: for images that are compared with a template."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from agentad.backbones import grid, settings
from agentad.backbones.encoder import Image
from agentad.backbones.pixels import resized
from agentad.errors import InputError

_BRIGHTNESS = np.full((3, 1), 1 / 3, np.float32)
_COLOUR = np.eye(3, dtype=np.float32)


class PixelBlocks:
    """Brightness, or red, green and blue, from 0 to 1, averaged over blocks of pixels.

    Nothing is learned and no neighbourhood is seen: alone it tells nothing of objects, and its use is the fine grid.
    Features are float16 of shape (n, size / block, size / block, 1 or 3).

    Args:
        size: side in pixels that images are scaled to.
        block: side of a block in pixels.
        colour: keep the three colours apart.
    """

    name = "pixel-blocks"

    def __init__(self, *, size: int = 640, block: int = 2, colour: bool = False) -> None:
        if block < 1:
            raise InputError(f"block {block}: give a number of pixels from 1")
        self._side = grid.square(size, block).rows
        self._size, self._block, self._colour = size, block, colour

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The encoder that `save` wrote.

        Raises:
            DetectorRefused: the folder is incomplete or damaged.
        """
        return cls(**settings.read(folder, {"size": int, "block": int, "colour": bool}))

    def shaped(self, *, aspect: float, pixels: float) -> Self:
        """Itself: the grid is square whatever the images' shape."""
        return self

    @property
    def channels(self) -> int:
        """1, or 3 in colour."""
        return 3 if self._colour else 1

    @property
    def grid(self) -> tuple[int, int]:
        """(rows, columns) of blocks."""
        return self._side, self._side

    def encode(self, images: Sequence[Image]) -> NDArray[np.float16]:
        """(n, rows, columns, channels) float16 features of n images."""
        found = np.empty((len(images), *self.grid, self.channels), np.float16)
        for number, image in enumerate(images):
            pixels = resized(image, self._size, self._size).permute(1, 2, 0).numpy().astype(np.float32) / 255
            values = pixels @ (_COLOUR if self._colour else _BRIGHTNESS)
            tiles = values.reshape(self._side, self._block, self._side, self._block, self.channels)
            found[number] = tiles.mean(axis=(1, 3))
        return found

    def save(self, folder: Path) -> None:
        """Write the settings; there is nothing else."""
        settings.write(folder, self.name, {"size": self._size, "block": self._block, "colour": self._colour})
