"""Patch features without pretrained weights: colour and the energy of Gaussian derivatives at several scales."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from agentad.backbones import grid, settings
from agentad.backbones.encoder import Image
from agentad.backbones.pixels import resized
from agentad.backbones.threads import torch_threads
from agentad.errors import InputError

_SCALES = (1.0, 2.0, 4.0)
"""Standard deviations of the Gaussians, pixels of the resized image."""
_ORDERS = ((0, 1), (1, 0), (0, 2), (1, 1), (2, 0))
"""Derivatives along (rows, columns): the local jet up to the second order (Koenderink and van Doorn, 1987)."""
_OPPONENT = np.array([[1 / 3, 1 / 3, 1 / 3], [0.5, -0.5, 0.0], [0.25, 0.25, -0.5]], np.float32)
"""Brightness, red against green, yellow against blue."""


class PatchFilters:
    """Mean and spread of filter responses within each patch. Texture and colour only: it recognises no objects.

    For machines without weights, and for tests. It sees scratches, stains and broken textures, and is no better than
    chance where a part is wrong only in its context, such as a bent or missing leg. Features are float16 of shape
    (n, rows, columns, 36), each channel in its own units: standardise them on the training images before
    measuring distances.
    """

    name = "patch-filters"

    def __init__(self, *, size: int = 280, patch: int = 14) -> None:
        if patch < 1:
            raise InputError(f"patch {patch}: give a number of pixels from 1")
        self._size, self._patch = size, patch
        self._grid = grid.square(size, patch)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The encoder that `save` wrote.

        Raises:
            DetectorRefused: the folder is incomplete or damaged.
        """
        kept = settings.read(
            folder, {"size": int, "patch": int, "rows": int, "columns": int}, {"rows": 0, "columns": 0}
        )
        encoder = cls(size=kept["size"], patch=kept["patch"])
        if kept["rows"] > 0 and kept["columns"] > 0:
            encoder._grid = grid.Grid(kept["rows"], kept["columns"], encoder._patch)
        return encoder

    def shaped(self, *, aspect: float, pixels: float) -> Self:
        """The same encoder with a grid for images of `aspect` (width / height); always one tile."""
        other = copy(self)
        other._grid = grid.shaped(grid.square(self._size, self._patch), aspect, pixels, 1)
        return other

    @property
    def channels(self) -> int:
        """Length of a patch's feature vector."""
        return 2 * (len(_OPPONENT) + len(_SCALES) * len(_ORDERS))

    @property
    def grid(self) -> tuple[int, int]:
        """(rows, columns) of patches."""
        return self._grid.rows, self._grid.columns

    def encode(self, images: Sequence[Image]) -> NDArray[np.float16]:
        """(n, rows, columns, channels) float16 features of n images."""
        found = np.empty((len(images), *self.grid, self.channels), np.float16)
        with torch_threads():
            for number, image in enumerate(images):
                found[number] = self._statistics(_responses(resized(image, *self._grid.pixels).numpy()))
        return found

    def _statistics(self, maps: NDArray[np.float32]) -> NDArray[np.float32]:
        """(rows, columns, 2c): mean and standard deviation of c maps over each patch."""
        tiles = maps.reshape(len(maps), self._grid.rows, self._patch, self._grid.columns, self._patch)
        return np.concatenate([tiles.mean(axis=(2, 4)), tiles.std(axis=(2, 4))]).transpose(1, 2, 0)

    def save(self, folder: Path) -> None:
        """Write the settings; there is nothing else."""
        shape = {"rows": self._grid.rows, "columns": self._grid.columns}
        settings.write(folder, self.name, {"size": self._size, "patch": self._patch} | shape)


def _responses(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(c, height, width) colour planes, then derivatives of brightness times σ^order, which makes scales comparable."""
    planes = np.tensordot(_OPPONENT, pixels.astype(np.float32) / 255, axes=1)
    jets = [
        scale ** sum(order) * gaussian_filter(planes[0], scale, order=order, mode="nearest")
        for scale in _SCALES
        for order in _ORDERS
    ]
    return np.concatenate([planes, np.stack(jets)])
