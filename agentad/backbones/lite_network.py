"""EfficientNet-Lite0 (see `lite_layout`) in plain torch, for inference: batch norms are folded into convolutions."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from agentad.backbones.lite_layout import STEM, Block, blocks

_EPSILON = 1e-3


class SameConv(nn.Module):
    """A convolution padded as TensorFlow's `SAME`: what is left over goes to the right and the bottom."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, *, groups: int = 1, relu: bool) -> None:
        super().__init__()
        # `SAME` is symmetric without stride; with stride 2 and an even size one pixel less at the left and the top.
        self.early = (kernel - stride) // 2 if stride > 1 else kernel // 2
        self.late = kernel - stride - self.early
        self.relu = relu
        padding = kernel // 2 if stride == 1 else 0
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups)

    def forward(self, x: Tensor) -> Tensor:
        """(b, c, h, w) to (b, outputs, h / stride, w / stride); h and w have to be multiples of the stride."""
        if self.conv.stride != (1, 1):
            x = functional.pad(x, (self.early, self.late, self.early, self.late))
        x = self.conv(x)
        return functional.relu6(x, inplace=True) if self.relu else x

    def fold(self, weights: Mapping[str, Tensor], conv: str, norm: str) -> None:
        """Take the convolution's weights, scaled and shifted as the batch norm after it would."""
        scale = weights[f"{norm}.weight"] / torch.sqrt(weights[f"{norm}.running_var"] + _EPSILON)
        bias = weights[f"{norm}.bias"] - weights[f"{norm}.running_mean"] * scale
        self.conv.load_state_dict({"weight": weights[f"{conv}.weight"] * scale[:, None, None, None], "bias": bias})


class InvertedResidual(nn.Module):
    """One block; `block` says its sizes."""

    def __init__(self, block: Block) -> None:
        super().__init__()
        inner = block.inputs * block.expansion
        self.block = block
        self.expand = SameConv(block.inputs, inner, 1, 1, relu=True) if block.expansion != 1 else None
        self.depthwise = SameConv(inner, inner, block.kernel, block.stride, groups=inner, relu=True)
        self.project = SameConv(inner, block.outputs, 1, 1, relu=False)

    def forward(self, x: Tensor) -> Tensor:
        """(b, inputs, h, w) to (b, outputs, h / stride, w / stride)."""
        inner = x if self.expand is None else self.expand(x)
        found: Tensor = self.project(self.depthwise(inner))
        return found + x if self.block.residual else found

    def fold(self, weights: Mapping[str, Tensor]) -> None:
        """Take this block's weights."""
        name = self.block.name
        if self.expand is not None:
            self.expand.fold(weights, f"{name}._expand_conv", f"{name}._bn0")
        self.depthwise.fold(weights, f"{name}._depthwise_conv", f"{name}._bn1")
        self.project.fold(weights, f"{name}._project_conv", f"{name}._bn2")


class LiteNetwork(nn.Module):
    """The stem and the first `stages` stages."""

    def __init__(self, stages: int) -> None:
        super().__init__()
        self.stem = SameConv(3, STEM, 3, 2, relu=True)
        self.stages = [block.stage for block in blocks(stages)]
        self.blocks = nn.ModuleList(InvertedResidual(block) for block in blocks(stages))

    def forward(self, x: Tensor) -> list[Tensor]:
        """Pixels (b, 3, h, w), h and w multiples of 32, to the output of each stage (b, channels, h / s, w / s)."""
        x = self.stem(x)
        found: list[Tensor] = []
        for stage, block in zip(self.stages, self.blocks, strict=True):
            x = block(x)
            if stage > len(found):
                found.append(x)
            else:
                found[-1] = x
        return found

    def fold(self, weights: Mapping[str, Tensor]) -> None:
        """Take the weights of a checkpoint."""
        self.stem.fold(weights, "_conv_stem", "_bn0")
        for block in self.blocks:
            block.fold(weights)  # type: ignore[operator]  # a ModuleList does not know its items' type
