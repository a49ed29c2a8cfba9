"""Two networks over one grid: what a transformer and a convolutional network see of the same patch, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from agentad.backbones import settings
from agentad.backbones.dino import DinoPatches
from agentad.backbones.encoder import Image
from agentad.backbones.lite import LitePatches
from agentad.errors import DetectorRefused

_DINO_PATCH, _LITE_PATCH = 14, 16


class PairPatches:
    """DINOv2-S features and EfficientNet-Lite0 features of each patch, the latter `share` times as long.

    DINOv2 tells what a patch belongs to, EfficientNet-Lite0 adds fine detail: maps are the first's strength, deciding
    about the image the second's. Both lay a grid of the same shape over an image, DINOv2 with patches of 14 pixels of
    the resized image and EfficientNet-Lite0 of 16. Features are float16 of shape (n, rows, columns, channels).
    """

    name = "dinov2-lite"

    def __init__(
        self,
        *,
        blocks: str = "5,7",
        stages: str = "3,5",
        side: int = 18,
        share: float = 0.6,
        dtype: str = "bfloat16",
        tiles: int = 0,
    ) -> None:
        self._share = share
        self._dino = DinoPatches(blocks=blocks, size=side * _DINO_PATCH, dtype=dtype, tiles=tiles)
        self._lite = LitePatches(stages=stages, size=side * _LITE_PATCH, patch=_LITE_PATCH, dtype=dtype, tiles=tiles)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The encoder that `save` wrote; it needs no weights from anywhere else.

        Raises:
            DetectorRefused: the settings are absent or damaged.
            WeightsMissing: the weights are.
        """
        encoder = cls.__new__(cls)
        encoder._share = settings.read(folder, {"share": float})["share"]
        encoder._dino, encoder._lite = DinoPatches.load(folder / "dino"), LitePatches.load(folder / "lite")
        if encoder._dino.grid != encoder._lite.grid:
            raise DetectorRefused(
                f"{folder}: the grids of its two networks differ; copy the whole detector folder again"
            )
        return encoder

    def shaped(self, *, aspect: float, pixels: float) -> Self:
        """The same encoder with a grid for images of `aspect` (width / height) and `pixels` (width × height)."""
        other = copy(self)
        other._dino = self._dino.shaped(aspect=aspect, pixels=pixels)
        # in the smaller patches of DINOv2, so that both choose as many tiles
        other._lite = self._lite.shaped(aspect=aspect, pixels=pixels * (_LITE_PATCH / _DINO_PATCH) ** 2)
        return other

    @property
    def channels(self) -> int:
        """Length of a patch's feature vector."""
        return self._dino.channels + self._lite.channels

    @property
    def grid(self) -> tuple[int, int]:
        """(rows, columns) of patches."""
        return self._dino.grid

    def encode(self, images: Sequence[Image]) -> NDArray[np.float16]:
        """(n, rows, columns, channels) float16 features of n images.

        Raises:
            InputError: an image is not uint8 of shape (height, width, 3).
        """
        found = np.empty((len(images), *self.grid, self.channels), np.float16)
        found[..., : self._dino.channels] = self._dino.encode(images)
        found[..., self._dino.channels :] = self._lite.encode(images) * np.float16(self._share)
        return found

    @property
    def parts(self) -> tuple[tuple[Any, float], ...]:
        """The two encoders and how long the features of each are, for whoever writes them as one graph."""
        return (self._dino, 1.0), (self._lite, float(np.float16(self._share)))

    def save(self, folder: Path) -> None:
        """Write both networks in folders of their own, and the settings."""
        settings.write(folder, self.name, {"share": self._share})
        self._dino.save(folder / "dino")
        self._lite.save(folder / "lite")
