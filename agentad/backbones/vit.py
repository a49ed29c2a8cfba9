"""Patch features of vision transformers, from their middle blocks."""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Self, cast

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from agentad.backbones import checkpoint, vit_network
from agentad.backbones.catalog import find
from agentad.backbones.grid import Grid, Window
from agentad.backbones.network import NetworkPatches, numbers, own_weights
from agentad.backbones.vit_layout import FAMILIES, Vit, config, expected_shapes
from agentad.backbones.vit_network import VitNetwork
from agentad.store.atomic import write_json


class VitPatches(NetworkPatches):
    """Each patch as the concatenated outputs of some transformer blocks, each of length 1.

    `blocks="6,9"` means the tokens after the 6th and the 9th block, before any final norm: `hidden_states[6]` and
    `hidden_states[9]` in transformers. Blocks after the last one named are never loaded. Features are float16 of shape
    (n, rows, columns, hidden × number of blocks).

    Where positions are learned embeddings, they are resampled once to the whole grid, and each tile takes its part: a
    patch has the same position in whatever tile it lies.
    """

    types: ClassVar = {"blocks": str, "size": int, "dtype": str, "tiles": int}

    def __init__(self, *, blocks: str = "6,9", size: int = 280, dtype: str = "bfloat16", tiles: int = 0) -> None:
        kept = {"blocks": blocks, "size": size, "dtype": dtype, "tiles": tiles}
        self._open(own_weights(self.name), kept)

    @property
    def channels(self) -> int:
        """Length of a patch's feature vector."""
        return self._vit.hidden * len(self._blocks)

    @property
    def network(self) -> VitNetwork:
        """The transformer, frozen."""
        return self._network

    def running(self, network: nn.Module) -> Self:
        """The same encoder on another network that takes and gives what `network` does. `save` writes this one's."""
        other = copy(self)
        other._network = cast(VitNetwork, network)
        return other

    def _prepare(self, folder: Path) -> None:
        held = checkpoint.verify(folder)
        if not isinstance(held, Vit) or held.family != find(self.name).sizes.family:  # type: ignore[union-attr]
            raise checkpoint.damaged(folder, f"it holds another network than {self.name}")
        self._blocks = numbers(self._settings["blocks"], held.blocks, "blocks")
        self._vit = replace(held, blocks=max(self._blocks))
        with safe_open(folder / checkpoint.WEIGHTS, "pt") as file:
            self._weights = {name: file.get_tensor(name).to(self._dtype) for name in expected_shapes(self._vit)}
        self._network = VitNetwork(self._vit, self._weights).to(self._device, self._dtype)
        family = FAMILIES[self._vit.family]
        self._mean, self._std = (
            torch.tensor(values, device=self._device).view(3, 1, 1) for values in (family.mean, family.std)
        )

    def _patch(self) -> int:
        return self._vit.patch

    def _lay(self, wanted: Grid) -> None:
        super()._lay(wanted)
        windows = wanted.windows
        rows, columns = (len(fade) for fade in (windows[0].down, windows[0].across))
        if FAMILIES[self._vit.family].positions is None:
            one = self._ready(vit_network.places(self._vit, self._weights, rows, columns))
            self._places = {(window.top, window.left): one for window in windows}
            return
        whole = vit_network.places(self._vit, self._weights, *self.grid)
        square = whole.unflatten(1, self.grid)  # type: ignore[union-attr]  # embeddings, no rotation
        self._places = {
            (window.top, window.left): self._ready(
                square[:, window.top : window.top + rows, window.left : window.left + columns].flatten(1, 2)
            )
            for window in windows
        }

    def _ready(self, places: Any) -> Any:
        if isinstance(places, Tensor):
            return places.to(self._device, self._dtype)
        return tuple(part.to(self._device, self._dtype) for part in places)

    def _levels(self, pixels: Tensor, window: Window) -> list[Tensor]:
        scaled = (pixels.float() / 255 - self._mean) / self._std
        tokens = self._network(scaled, self._places[window.top, window.left], self._blocks)
        return [level.float().unflatten(1, (len(window.down), len(window.across))) for level in tokens]

    def _write(self, folder: Path) -> None:
        save_file({name: tensor.contiguous() for name, tensor in self._weights.items()}, folder / checkpoint.WEIGHTS)
        write_json(folder / checkpoint.CONFIG, config(self._vit))
