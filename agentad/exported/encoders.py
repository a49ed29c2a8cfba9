"""Encoders as graphs: an image of any size in, the features of its patches out."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d
from torch import Tensor, nn

from agentad.backbones import filters, settings
from agentad.backbones.filters import PatchFilters
from agentad.backbones.pair import PairPatches
from agentad.exported.resizing import resized
from agentad.store.atomic import write_json
from agentad.store.documents import read_json


class NetworkGraph(nn.Module):
    """An encoder that runs a network: `pixels`, the size it wants, and `features`, written in torch."""

    def __init__(self, encoder: Any) -> None:
        super().__init__()
        self._encoder = encoder
        # as parts of this module, weights are counted, and written once however many tiles use them
        self.networks = nn.ModuleList(part for part in vars(encoder).values() if isinstance(part, nn.Module))

    def forward(self, image: Tensor) -> Tensor:
        """(1, H, W, 3) uint8 to (1, rows, columns, channels) float32."""
        features: Tensor = self._encoder.features(resized(image, *self._encoder.pixels))
        # encoders hand over float16
        return features.half().float().cpu()


class PairGraph(nn.Module):
    """`PairPatches`: both networks, and their features side by side."""

    def __init__(self, encoder: PairPatches) -> None:
        super().__init__()
        self.graphs = nn.ModuleList(NetworkGraph(part) for part, _ in encoder.parts)
        self.shares = [share for _, share in encoder.parts]

    def forward(self, image: Tensor) -> Tensor:
        """(1, H, W, 3) uint8 to (1, rows, columns, channels) float32."""
        found = [(graph(image) * share).half().float() for graph, share in zip(self.graphs, self.shares, strict=True)]
        return torch.cat(found, dim=-1)


class FilterGraph(nn.Module):
    """`PatchFilters`: along either side a Gaussian derivative is a matrix, and edges are part of it.

    In float64, for what is lost decides which float16 number a feature becomes.
    """

    def __init__(self, encoder: PatchFilters, height: int, width: int) -> None:
        super().__init__()
        self.height, self.width, self.grid = height, width, encoder.grid
        self.register_buffer("opponent", torch.from_numpy(filters._OPPONENT).double())
        jets = [(scale, order) for scale in filters._SCALES for order in filters._ORDERS]
        self.register_buffer("down", torch.stack([_jet(height, s, o[0]) for s, o in jets]))
        self.register_buffer("across", torch.stack([_jet(width, s, o[1]).T for s, o in jets]))

    def forward(self, image: Tensor) -> Tensor:
        """(1, H, W, 3) uint8 to (1, rows, columns, channels) float32."""
        pixels = resized(image, self.height, self.width)[0].double() / 255
        opponent, down, across = (cast(Tensor, getattr(self, name)) for name in ("opponent", "down", "across"))
        planes = (opponent @ pixels.reshape(3, -1)).reshape(3, self.height, self.width)
        maps = torch.cat([planes, down @ planes[0] @ across])  # (c, height, width)
        rows, columns = self.grid
        tiles = maps.reshape(len(maps), rows, self.height // rows, columns, self.width // columns)
        mean = tiles.mean(dim=(2, 4))
        deviation = (tiles - mean[:, :, None, :, None]).square().mean(dim=(2, 4)).sqrt()
        return torch.cat([mean, deviation]).permute(1, 2, 0)[None].half().float()


def _jet(side: int, scale: float, order: int) -> Tensor:
    """(side, side): a Gaussian derivative along one side, times σ^order."""
    return torch.from_numpy(scale**order * gaussian_filter1d(np.eye(side), scale, axis=0, order=order, mode="nearest"))


def graph_of_encoder(encoder: Any) -> nn.Module | None:
    """The encoder as a graph; None where there is none."""
    if isinstance(encoder, PatchFilters):
        rows, columns = encoder.grid
        return FilterGraph(encoder, rows * encoder._patch, columns * encoder._patch)
    if isinstance(encoder, PairPatches):
        return PairGraph(encoder)
    if hasattr(encoder, "graph"):
        return cast(nn.Module, encoder.graph())
    if hasattr(encoder, "features") and hasattr(encoder, "pixels"):
        return NetworkGraph(encoder)
    return None


def encoder_in_float32(encoder: Any) -> Any:
    """The encoder with the same weights and float32 arithmetic: itself where it computes in float32 already."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        encoder.save(folder)
        found = {path: read_json(path) for path in sorted(folder.rglob(settings.FILE))}
        if all(kept.get("dtype", "float32") == "float32" for kept in found.values()):
            return encoder
        for path, kept in found.items():
            write_json(path, kept | ({"dtype": "float32"} if "dtype" in kept else {}))
        return type(encoder).load(folder)
