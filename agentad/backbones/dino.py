"""Patch features of DINOv2 (arXiv 2304.07193), from its middle blocks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from torch import Tensor
from torch.nn import functional
from transformers import Dinov2Config, Dinov2Model
from transformers.utils import logging

from agentad.backbones import checkpoint, fetch, settings
from agentad.backbones.catalog import Vit
from agentad.backbones.dinov2_layout import config, expected_shapes
from agentad.backbones.encoder import Image
from agentad.backbones.pixels import patches_per_side, resized
from agentad.backbones.threads import torch_threads
from agentad.errors import InputError

_MEAN = (0.485, 0.456, 0.406)
_STD = (0.229, 0.224, 0.225)
_DTYPES = {"bfloat16": torch.bfloat16, "float32": torch.float32}
_GPU_BATCH = 32
_POSITIONS = "embeddings.position_embeddings"


class DinoPatches:
    """Each patch as the concatenated outputs of some transformer blocks, each of length 1.

    `blocks="6,9"` means the tokens after the 6th and the 9th block, before any final norm: `hidden_states[6]` and
    `hidden_states[9]` in transformers. Blocks after the last one named are never loaded. Features are float16 of shape
    (n, size / 14, size / 14, 384 × number of blocks).

    On a CPU images go through one by one, which costs no more than batches do and makes an image's features
    independent of its neighbours; on a GPU they go in batches.
    """

    name = "dinov2-small"

    def __init__(self, *, blocks: str = "6,9", size: int = 280, dtype: str = "bfloat16") -> None:
        self._open(fetch.require(self.name), blocks=blocks, size=size, dtype=dtype)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The encoder that `save` wrote; it needs no weights from anywhere else.

        Raises:
            DetectorRefused: the settings are absent or damaged.
            WeightsMissing: the weights are.
        """
        encoder = cls.__new__(cls)
        encoder._open(folder, **settings.read(folder, {"blocks": str, "size": int, "dtype": str}))
        return encoder

    def _open(self, folder: Path, *, blocks: str, size: int, dtype: str) -> None:
        vit = checkpoint.verify(folder)
        if dtype not in _DTYPES:
            raise InputError(f"dtype {dtype!r}: give one of {', '.join(_DTYPES)}")
        self._settings = {"blocks": blocks, "size": size, "dtype": dtype}
        self._source = checkpoint.source(folder)
        self._size, self._blocks = size, _parse(blocks, vit.blocks)
        self._side = patches_per_side(size, vit.patch)
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._model = _truncated(folder, replace(vit, blocks=max(self._blocks)), size=size, dtype=_DTYPES[dtype])
        # For one image in bfloat16 on a CPU, plain attention saves a tenth of the time against the fused kernel.
        plain = self._device.type == "cpu" and dtype == "bfloat16"
        self._model.set_attn_implementation("eager" if plain else "sdpa")
        torch.nn.Module.to(self._model, self._device)

    @property
    def channels(self) -> int:
        """Length of a patch's feature vector."""
        return int(self._model.config.hidden_size) * len(self._blocks)

    @property
    def grid(self) -> tuple[int, int]:
        """(rows, columns) of patches."""
        return self._side, self._side

    def encode(self, images: Sequence[Image]) -> NDArray[np.float16]:
        """(n, rows, columns, channels) float16 features of n images."""
        found = np.empty((len(images), *self.grid, self.channels), np.float16)
        step = _GPU_BATCH if self._device.type == "cuda" else 1
        with torch.inference_mode(), torch_threads():
            for start in range(0, len(images), step):
                found[start : start + step] = self._encode(images[start : start + step])
        return found

    def _encode(self, images: Sequence[Image]) -> NDArray[np.float16]:
        found: NDArray[np.float16] = self.features(
            torch.stack([resized(image, self._size) for image in images])
        ).numpy()
        return found

    @property
    def pixels(self) -> tuple[int, int]:
        """(height, width) that images are resized to."""
        return self._size, self._size

    def features(self, square: Tensor) -> Tensor:
        """(b, rows, columns, channels) float16 features of resized images (b, 3, height, width) uint8."""
        pixels = square.to(self._device).float() / 255
        mean, std = (torch.tensor(v, device=self._device).view(3, 1, 1) for v in (_MEAN, _STD))
        states = self._model((pixels - mean) / std, output_hidden_states=True).hidden_states
        # Token 0 is the class token, which has no place in the image.
        levels = [functional.normalize(states[block][:, 1:].float(), dim=-1) for block in self._blocks]
        return torch.cat(levels, dim=-1).half().cpu().reshape(len(square), *self.grid, self.channels)

    def save(self, folder: Path) -> None:
        """Write the truncated weights (33 MB in bfloat16 for blocks up to 9), their origin and the settings."""
        settings.write(folder, self.name, self._settings)
        with _quiet():
            self._model.save_pretrained(folder)
        checkpoint.note_source(folder, self._source)


def _parse(blocks: str, available: int) -> tuple[int, ...]:
    """Block numbers from "6,9"; counted from 1."""
    parts = [part.strip() for part in blocks.split(",")]
    numbers = tuple(int(part) for part in parts if part.isdecimal())
    if len(numbers) != len(parts) or len(set(numbers)) != len(numbers) or not all(1 <= n <= available for n in numbers):
        raise InputError(f'blocks "{blocks}": give different numbers from 1 to {available}, such as "1,{available}"')
    return numbers


def _truncated(folder: Path, vit: Vit, *, size: int, dtype: torch.dtype) -> Dinov2Model:
    """The first `vit.blocks` blocks, ready for images of `size` pixels."""
    with safe_open(folder / checkpoint.WEIGHTS, "pt") as file:
        weights = {name: file.get_tensor(name) for name in expected_shapes(vit)}
    weights[_POSITIONS] = _positions(weights[_POSITIONS], size // vit.patch)
    ready = Dinov2Config(**config(replace(vit, image=size)))
    with _quiet():  # from_pretrained knows how this version of transformers names the published tensors
        model: Dinov2Model = Dinov2Model.from_pretrained(None, config=ready, state_dict=weights, dtype=dtype)
    return model


def _positions(positions: Tensor, side: int) -> Tensor:
    """Position embeddings (1, 1 + side², c): resampled here once, as the model would do for every image."""
    patches = positions[:, 1:]
    old = round(patches.shape[1] ** 0.5)
    if old == side:
        return positions
    square = patches.float().reshape(1, old, old, -1).permute(0, 3, 1, 2)
    square = functional.interpolate(square, size=(side, side), mode="bicubic", align_corners=False)
    return torch.cat([positions[:, :1].float(), square.permute(0, 2, 3, 1).flatten(1, 2)], dim=1)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep transformers' progress bars and reports away: standard error is the caller's."""
    bars, level = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]
