"""Patch features of EfficientNet-Lite0, a small convolutional network."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional

from agentad.backbones import checkpoint, grid, lite_layout
from agentad.backbones.grid import Window
from agentad.backbones.lite_layout import Lite
from agentad.backbones.lite_network import LiteNetwork
from agentad.backbones.network import NetworkPatches, numbers, own_weights
from agentad.errors import InputError
from agentad.store.atomic import write_json

_MEAN, _STD = 127.0, 128.0
"""Grey levels. The file's batch statistics agree with these of the original, and not with ImageNet's."""


class LitePatches(NetworkPatches):
    """Outputs of some stages, averaged over patches or interpolated between them, each of length 1.

    `stages="3,5"` means what leaves the third and the fifth of the network's seven stages: projections without an
    activation, of 40 channels at an eighth and 112 at a sixteenth of the resolution (16, 24, 40, 80, 112, 192, 320
    channels at 2, 4, 8, 16, 16, 32, 32 pixels). A finer stage is averaged over each patch, a coarser one interpolated.
    Stages after the last one named are not computed.
    """

    name = "efficientnet-lite0"
    types: ClassVar = {"stages": str, "size": int, "patch": int, "dtype": str, "tiles": int}

    def __init__(
        self, *, stages: str = "3,5", size: int = 320, patch: int = 16, dtype: str = "float32", tiles: int = 0
    ) -> None:
        kept = {"stages": stages, "size": size, "patch": patch, "dtype": dtype, "tiles": tiles}
        self._open(own_weights(self.name), kept)

    @property
    def channels(self) -> int:
        """Length of a patch's feature vector."""
        return sum(lite_layout.STAGES[stage - 1][-1] for stage in self._stages)

    def _prepare(self, folder: Path) -> None:
        held = checkpoint.verify(folder)
        if not isinstance(held, Lite):
            raise checkpoint.damaged(folder, "it holds another network than EfficientNet-Lite0")
        self._stages = numbers(self._settings["stages"], held.stages, "stages")
        patch, size = self._settings["patch"], self._settings["size"]
        if patch not in (8, 16, 32):
            raise InputError(f"patch {patch}: give 8, 16 or 32")
        self._step = max(patch, *(lite_layout.stride(stage) for stage in self._stages))
        grid.square(size, self._step)  # refuses a size that some stage cannot halve
        weights = load_file(folder / checkpoint.WEIGHTS)
        used = lite_layout.expected_shapes(Lite(max(self._stages), head=False))
        self._weights = {name: weights[name] for name in used}
        self._network = LiteNetwork(max(self._stages)).eval()
        self._network.fold(self._weights)
        self._network.to(self._device, self._dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def _patch(self) -> int:
        return int(self._settings["patch"])

    def _levels(self, pixels: Tensor, window: Window) -> list[Tensor]:
        shape = len(window.down), len(window.across)
        scaled = ((pixels.float() - _MEAN) / _STD).to(self._dtype)
        # Stages halve the resolution up to five times; the patches that complete the last square are dropped again.
        height, width = pixels.shape[-2:]
        spare = (0, -width % self._step, 0, -height % self._step)
        if any(spare):
            scaled = functional.pad(scaled, spare, mode="replicate")
        outputs = self._network(scaled.contiguous(memory_format=torch.channels_last))
        whole = scaled.shape[-2] // self._patch(), scaled.shape[-1] // self._patch()
        found = []
        for stage in self._stages:
            level = outputs[stage - 1].float()
            if level.shape[-1] > whole[1]:
                level = functional.adaptive_avg_pool2d(level, whole)
            elif level.shape[-1] < whole[1]:
                level = functional.interpolate(level, size=whole, mode="bilinear", align_corners=False)
            found.append(level[:, :, : shape[0], : shape[1]].permute(0, 2, 3, 1))
        return found

    def _write(self, folder: Path) -> None:
        save_file(self._weights, folder / checkpoint.WEIGHTS)
        write_json(folder / checkpoint.CONFIG, lite_layout.config(Lite(max(self._stages), head=False)))
