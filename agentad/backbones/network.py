"""What encoders that run a network over patches share: resizing, tiles, levels, settings."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from copy import copy
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from agentad.backbones import checkpoint, fetch, settings
from agentad.backbones.encoder import Image
from agentad.backbones.grid import Grid, Window, shaped, square
from agentad.backbones.pixels import resized
from agentad.backbones.threads import torch_threads
from agentad.errors import InputError

DTYPES = {"bfloat16": torch.bfloat16, "float32": torch.float32}
_GPU_BATCH = 32
_SHAPE = ("rows", "columns", "used_tiles")


class NetworkPatches(ABC):
    """Each patch as the concatenation of some of a network's levels, each of length 1, as float16.

    On a CPU images go through one by one, which costs no more than batches do and makes an image's features
    independent of its neighbours; on a GPU they go in batches.

    With tiles, the image is kept larger and goes through in overlapping pieces. Where they overlap, levels are
    cross-faded before they are scaled to length 1 (see `grid.spans`). Memory is that of one image at the size of the
    grid, whatever the size on disk.
    """

    name: ClassVar[str]
    types: ClassVar[dict[str, type]]
    """The constructor's parameters and their types, among them `size`, `dtype` and `tiles`."""

    _grid: Grid

    def _open(self, folder: Path, kept: dict[str, Any]) -> None:
        """Take the settings, and the weights in `folder`."""
        if kept["dtype"] not in DTYPES:
            raise InputError(f"dtype {kept['dtype']!r}: give one of {', '.join(DTYPES)}")
        if kept["tiles"] < 0:
            raise InputError(f"tiles {kept['tiles']}: give 1 or more tiles a side, or 0 to have them chosen")
        self._settings = kept
        self._source = checkpoint.source(folder)
        self._dtype = DTYPES[kept["dtype"]]
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._prepare(folder)
        self._plain = square(kept["size"], self._patch())
        self._lay(shaped(self._plain, 1.0, 0.0, max(kept["tiles"], 1)))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The encoder that `save` wrote; it needs no weights from anywhere else.

        Raises:
            DetectorRefused: the settings are absent or damaged.
            WeightsMissing: the weights are.
        """
        encoder = cls.__new__(cls)
        encoder._open(folder, settings.read(folder, cls.types, {"tiles": 1}))
        shape = settings.read(folder, dict.fromkeys(_SHAPE, int), dict.fromkeys(_SHAPE, 0))
        rows, columns, tiles = (shape[key] for key in _SHAPE)
        if rows > 0 and columns > 0 and tiles > 0:
            encoder._lay(Grid(rows, columns, encoder._plain.patch, tiles))
        return encoder

    def shaped(self, *, aspect: float, pixels: float) -> Self:
        """The same encoder with a grid for images of `aspect` (width / height) and `pixels` (width × height)."""
        other = copy(self)
        other._lay(shaped(self._plain, aspect, pixels, self._settings["tiles"]))
        return other

    @property
    @abstractmethod
    def channels(self) -> int:
        """Length of a patch's feature vector."""

    @property
    def grid(self) -> tuple[int, int]:
        """(rows, columns) of patches."""
        return self._grid.rows, self._grid.columns

    def encode(self, images: Sequence[Image]) -> NDArray[np.float16]:
        """(n, rows, columns, channels) float16 features of n images.

        Raises:
            InputError: an image is not uint8 of shape (height, width, 3).
        """
        found = np.empty((len(images), *self.grid, self.channels), np.float16)
        step = _GPU_BATCH if self._device.type == "cuda" and self._grid.tiles == 1 else 1
        with torch.inference_mode(), torch_threads():
            for start in range(0, len(images), step):
                pixels = torch.stack([resized(image, *self.pixels) for image in images[start : start + step]])
                found[start : start + step] = self.features(pixels).numpy()
        return found

    @property
    def pixels(self) -> tuple[int, int]:
        """(height, width) that images are resized to."""
        return self._grid.pixels

    def features(self, pixels: Tensor) -> Tensor:
        """(b, rows, columns, channels) float16 features of resized images (b, 3, height, width) uint8."""
        return self.tokens(pixels).half().cpu()

    def tokens(self, pixels: Tensor) -> Tensor:
        """`features` in float32 on the network's device, for whoever wants gradients."""
        return torch.cat([functional.normalize(level, dim=-1) for level in self._whole(pixels)], dim=-1)

    def save(self, folder: Path) -> None:
        """Write the weights that are used, their origin, the settings and the shape of the grid."""
        shape = dict(zip(_SHAPE, (self._grid.rows, self._grid.columns, self._grid.tiles), strict=True))
        settings.write(folder, self.name, self._settings | shape)
        self._write(folder)
        checkpoint.note_source(folder, self._source)

    def _lay(self, wanted: Grid) -> None:
        self._grid = wanted

    def _whole(self, pixels: Tensor) -> list[Tensor]:
        """Levels (b, rows, columns, c) float32 of images uint8 (b, 3, height, width), tile by tile."""
        windows = self._grid.windows
        if len(windows) == 1:
            return self._levels(pixels.to(self._device), windows[0])
        sums: list[Tensor] = []
        patch = self._grid.patch
        for window in windows:
            rows, columns = len(window.down), len(window.across)
            top, left = window.top * patch, window.left * patch
            tile = pixels[:, :, top : top + rows * patch, left : left + columns * patch]
            levels = self._levels(tile.to(self._device), window)
            if not sums:
                sums = [level.new_zeros(len(pixels), *self.grid, level.shape[-1]) for level in levels]
            weights = torch.from_numpy(np.outer(window.down, window.across)).to(self._device)[..., None]
            for total, level in zip(sums, levels, strict=True):
                total[:, window.top : window.top + rows, window.left : window.left + columns] += weights * level
        return sums

    @abstractmethod
    def _prepare(self, folder: Path) -> None:
        """Check the settings and take the weights from `folder`."""

    @abstractmethod
    def _patch(self) -> int:
        """Side of a patch in pixels."""

    @abstractmethod
    def _levels(self, pixels: Tensor, window: Window) -> list[Tensor]:
        """The chosen levels (b, rows, columns, c) float32 of one tile, uint8 (b, 3, height, width)."""

    @abstractmethod
    def _write(self, folder: Path) -> None:
        """Write `config.json` and `model.safetensors`."""


def own_weights(name: str) -> Path:
    """The folder with the weights called `name`. Raises WeightsMissing."""
    return fetch.require(name)


def numbers(text: str, available: int, what: str) -> tuple[int, ...]:
    """Different numbers from 1 to `available`, from a text such as "6,9".

    Raises:
        InputError: the text is something else.
    """
    parts = [part.strip() for part in text.split(",")]
    found = tuple(int(part) for part in parts if part.isdecimal())
    if len(found) != len(parts) or len(set(found)) != len(found) or not all(1 <= n <= available for n in found):
        raise InputError(f'{what} "{text}": give different numbers from 1 to {available}, such as "1,{available}"')
    return found
