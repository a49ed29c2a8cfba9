"""What a folder with an EfficientNet-Lite0 checkpoint holds, and the network's plan.

The names are those of the pretrained file; the plan is that of
https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite (EfficientNet, arXiv 1905.11946, without
squeeze-and-excitation and with ReLU6).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MODEL_TYPE = "efficientnet-lite0"
STEM = 32
"""Channels after the first convolution, which halves the resolution."""
CLASSES, HEAD = 1000, 1280
_STAGES = ((1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80), (3, 5, 1, 6, 112), (4, 5, 2, 6, 192))
_LAST = (1, 3, 1, 6, 320)
"""(blocks, kernel, stride of the first block, expansion, channels) of each stage."""
STAGES = (*_STAGES, _LAST)


@dataclass(frozen=True)
class Lite:
    """How much of EfficientNet-Lite0 a checkpoint holds."""

    stages: int = 7
    head: bool = True
    """Whether the last convolution and the classifier are there; encoding needs neither."""


@dataclass(frozen=True)
class Block:
    """One inverted residual (arXiv 1801.04381): expand, filter each channel, project."""

    name: str
    stage: int
    """Counted from 1."""
    kernel: int
    stride: int
    expansion: int
    inputs: int
    outputs: int

    @property
    def residual(self) -> bool:
        """Whether the input is added to the output."""
        return self.stride == 1 and self.inputs == self.outputs


def blocks(stages: int) -> list[Block]:
    """The blocks of the first `stages` stages."""
    found: list[Block] = []
    inputs = STEM
    for stage, (repeats, kernel, stride, expansion, outputs) in enumerate(STAGES[:stages], 1):
        for repeat in range(repeats):
            name = f"_blocks.{len(found)}"
            found.append(Block(name, stage, kernel, 1 if repeat else stride, expansion, inputs, outputs))
            inputs = outputs
    return found


def stride(stage: int) -> int:
    """Side of the square of pixels that one output of `stage` stands for."""
    return 2 << sum(first == 2 for _, _, first, _, _ in STAGES[:stage])


def config(lite: Lite) -> dict[str, Any]:
    """`config.json`."""
    return {"model_type": MODEL_TYPE, "num_stages": lite.stages, "head": lite.head}


def sizes_of(config: Mapping[str, Any]) -> Lite:
    """How much a `config.json` says there is.

    Raises:
        ValueError: it says nothing of the kind.
    """
    stages, head = config.get("num_stages"), config.get("head")
    if not isinstance(stages, int) or not 1 <= stages <= len(STAGES):
        raise ValueError(f"num_stages is {stages!r}, which is no number from 1 to {len(STAGES)}")
    if not isinstance(head, bool):
        raise ValueError(f"head is {head!r}, and should be true or false")
    return Lite(stages, head)


def expected_shapes(lite: Lite) -> dict[str, tuple[int, ...]]:
    """Shape of every tensor by name; without the counters that only training uses."""
    shapes = _convolution("_conv_stem", "_bn0", (STEM, 3, 3, 3))
    for block in blocks(lite.stages):
        inner = block.inputs * block.expansion
        if block.expansion != 1:
            shapes |= _convolution(f"{block.name}._expand_conv", f"{block.name}._bn0", (inner, block.inputs, 1, 1))
        depthwise = (inner, 1, block.kernel, block.kernel)
        shapes |= _convolution(f"{block.name}._depthwise_conv", f"{block.name}._bn1", depthwise)
        shapes |= _convolution(f"{block.name}._project_conv", f"{block.name}._bn2", (block.outputs, inner, 1, 1))
    if lite.head:
        shapes |= _convolution("_conv_head", "_bn1", (HEAD, STAGES[-1][-1], 1, 1))
        shapes |= {"_fc.weight": (CLASSES, HEAD), "_fc.bias": (CLASSES,)}
    return shapes


def _convolution(name: str, norm: str, shape: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    statistics = ("weight", "bias", "running_mean", "running_var")
    return {f"{name}.weight": shape} | {f"{norm}.{each}": shape[:1] for each in statistics}
