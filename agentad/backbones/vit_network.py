"""A vision transformer (arXiv 2010.11929) in plain torch, for inference, of any family in `vit_layout`.

Plain, because transformers takes seconds of CPU to import, and because one matrix product for queries, keys and values
is quicker than three. Tests hold it against transformers' models.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from agentad.backbones.vit_layout import FAMILIES, REGISTERS, ROTATION, Family, Vit

Rotation = tuple[Tensor, Tensor]
"""(cosines, sines), each (patches, channels of a head)."""


class Block(nn.Module):
    """Attention and an MLP, each added to its input. Attention's layers are modules, so that peft can adapt them."""

    def __init__(self, vit: Vit, part: Mapping[str, Tensor]) -> None:
        super().__init__()
        family = FAMILIES[vit.family]
        self.heads, self.epsilon, self.gelu = vit.heads, family.epsilon, family.gelu
        queries_by = 1 / math.sqrt(vit.hidden // vit.heads)  # attention's scale, taken into the queries
        ones, zeros = torch.ones(vit.hidden), torch.zeros(vit.hidden)
        self.scales = _kept(part.get("scale1", ones), part.get("scale2", ones))
        self.norm1 = _kept(part["norm1.weight"], part["norm1.bias"])
        self.norm2 = _kept(part["norm2.weight"], part["norm2.bias"])
        self.qkv = _linear(
            torch.cat([part["query.weight"] * queries_by, part["key.weight"], part["value.weight"]]),
            torch.cat([part["query.bias"] * queries_by, part.get("key.bias", zeros), part["value.bias"]]),
        )
        self.out = _linear(part["out.weight"], part["out.bias"])
        self.up = _kept(part["up.weight"], part["up.bias"])
        self.down = _kept(part["down.weight"], part["down.bias"])

    def forward(self, x: Tensor, rotation: Rotation | None) -> Tensor:
        """(b, tokens, hidden) to the same."""
        seen = self._attend(self._norm(x, self.norm1), rotation)
        x = torch.addcmul(x, self.out(seen), self.scales[0])
        inner = functional.linear(self._norm(x, self.norm2), *self.up)
        inner = functional.gelu(inner, approximate=self.gelu)
        return torch.addcmul(x, functional.linear(inner, *self.down), self.scales[1])

    def _norm(self, x: Tensor, weights: nn.ParameterList) -> Tensor:
        weight, bias = weights
        return functional.layer_norm(x, x.shape[-1:], weight, bias, self.epsilon)

    def _attend(self, x: Tensor, rotation: Rotation | None) -> Tensor:
        batch, tokens, hidden = x.shape
        qkv = self.qkv(x).view(batch, tokens, 3, self.heads, -1)
        queries, keys, values = qkv.permute(2, 0, 3, 1, 4)  # each (b, heads, tokens, channels of a head)
        if rotation is not None:
            queries, keys = _rotated(queries, rotation), _rotated(keys, rotation)
        if x.device.type == "cpu" and x.dtype == torch.bfloat16:
            # For one image on a CPU, plain attention takes two thirds of the time of the fused kernel.
            found: Tensor = (queries @ keys.transpose(-1, -2)).softmax(dim=-1) @ values
        else:
            found = functional.scaled_dot_product_attention(queries, keys, values, scale=1.0)
        return found.transpose(1, 2).reshape(batch, tokens, hidden)


class VitNetwork(nn.Module):
    """The first `vit.blocks` blocks over patches, with tokens before them that have no place in the image."""

    def __init__(self, vit: Vit, weights: Mapping[str, Tensor]) -> None:
        super().__init__()
        family = FAMILIES[vit.family]
        self.vit = vit
        self.patches = _kept(weights[f"{family.patches}.weight"], weights[f"{family.patches}.bias"])
        self.first = nn.Parameter(_first(vit, family, weights), requires_grad=False)
        self.blocks = nn.ModuleList(Block(vit, _of_block(family, number, weights)) for number in range(vit.blocks))

    def forward(self, pixels: Tensor, places: Tensor | Rotation, wanted: Sequence[int]) -> list[Tensor]:
        """Patch tokens (b, rows × columns, hidden) after the blocks `wanted`, counted from 1.

        Args:
            pixels: (b, 3, rows × patch, columns × patch), normalised as the family wants it.
            places: what `places` gives.
            wanted: numbers of blocks.
        """
        weight, bias = self.patches
        x = functional.conv2d(pixels.to(weight.dtype), weight, bias, stride=self.vit.patch).flatten(2).transpose(1, 2)
        rotation = None
        if isinstance(places, Tensor):
            x = x + places
        else:
            rotation = places
        x = torch.cat([self.first.expand(len(x), -1, -1), x], dim=1)
        found = {}
        for number, block in enumerate(self.blocks, 1):
            x = block(x, rotation)
            if number in wanted:
                found[number] = x[:, self.first.shape[1] :]
        return [found[number] for number in wanted]


def places(vit: Vit, weights: Mapping[str, Tensor], rows: int, columns: int) -> Tensor | Rotation:
    """What says where a patch is, for a grid of `rows` × `columns`.

    Position embeddings (1, rows × columns, hidden), resampled from the training grid; or rotations, whose coordinates
    run from -1 to 1 along either side.
    """
    family = FAMILIES[vit.family]
    if family.positions is None:
        return _rotation(vit, rows, columns)
    learned = weights[family.positions].float().reshape(-1, vit.hidden)
    side = vit.image // vit.patch
    grid = learned[len(learned) - side * side :].T.reshape(1, vit.hidden, side, side)
    if (rows, columns) != (side, side):
        grid = functional.interpolate(grid, size=(rows, columns), mode="bicubic", align_corners=False)
    return grid.flatten(2).transpose(1, 2)


def _rotation(vit: Vit, rows: int, columns: int) -> Rotation:
    channels = vit.hidden // vit.heads
    frequencies = 1 / ROTATION ** torch.arange(0, 1, 4 / channels)
    sides = [2 * (torch.arange(count) + 0.5) / count - 1 for count in (rows, columns)]
    at = torch.stack(torch.meshgrid(*sides, indexing="ij"), dim=-1).flatten(0, 1)  # (patches, 2)
    angles = (2 * math.pi * at[:, :, None] * frequencies).flatten(1).tile(2)
    return angles.cos(), angles.sin()


def _rotated(x: Tensor, rotation: Rotation) -> Tensor:
    """Queries or keys (b, heads, tokens, channels), turned for the patches, which come last."""
    cosines, sines = rotation
    first, patches = x[:, :, : -len(cosines)], x[:, :, -len(cosines) :]
    low, high = patches.chunk(2, dim=-1)
    return torch.cat([first, patches * cosines + torch.cat([-high, low], dim=-1) * sines], dim=2)


def _first(vit: Vit, family: Family, weights: Mapping[str, Tensor]) -> Tensor:
    """(1, tokens, hidden): the class token with its position, then registers."""
    tokens = []
    if family.leading is not None:
        token = weights[family.leading].float()
        tokens.append(token if family.positions is None else token + weights[family.positions][:, :1].float())
    if vit.registers:
        tokens.append(weights[REGISTERS].float())
    return torch.cat([torch.zeros(1, 0, vit.hidden), *tokens], dim=1)


def _of_block(family: Family, number: int, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A block's tensors by our names, float32."""
    prefix = family.block.format(number)
    found = {}
    for part, name in family.parts.items():
        for ending in ("", ".weight", ".bias"):
            if (full := prefix + name + ending) in weights:
                found[part + ending] = weights[full].float()
    return found


def _kept(*tensors: Tensor) -> nn.ParameterList:
    return nn.ParameterList(nn.Parameter(tensor.contiguous(), requires_grad=False) for tensor in tensors)


def _linear(weight: Tensor, bias: Tensor) -> nn.Linear:
    with torch.device("meta"):  # no time and no random numbers for weights that are replaced
        layer = nn.Linear(weight.shape[1], weight.shape[0])
    layer.weight, layer.bias = (nn.Parameter(tensor.contiguous(), requires_grad=False) for tensor in (weight, bias))
    return layer
