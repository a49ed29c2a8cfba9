"""The vision transformers that have a card."""

from __future__ import annotations

from agentad.backbones.vit import VitPatches


class DinoPatches(VitPatches):
    """DINOv2 ViT-S/14 (arXiv 2304.07193): 384 channels a block, 12 blocks."""

    name = "dinov2-small"


class DinoBasePatches(VitPatches):
    """DINOv2 ViT-B/14: 768 channels a block, 12 blocks."""

    name = "dinov2-base"


class DinoLargePatches(VitPatches):
    """DINOv2 ViT-L/14: 1,024 channels a block, 24 blocks."""

    name = "dinov2-large"

    def __init__(self, *, blocks: str = "12,18", size: int = 280, dtype: str = "bfloat16", tiles: int = 0) -> None:
        super().__init__(blocks=blocks, size=size, dtype=dtype, tiles=tiles)


class Dino3Patches(VitPatches):
    """DINOv3 ViT-S/16 (arXiv 2508.10104): 384 channels a block, 12 blocks."""

    name = "dinov3-small"

    def __init__(self, *, blocks: str = "6,9", size: int = 320, dtype: str = "bfloat16", tiles: int = 0) -> None:
        super().__init__(blocks=blocks, size=size, dtype=dtype, tiles=tiles)


class Dino3BasePatches(Dino3Patches):
    """DINOv3 ViT-B/16: 768 channels a block, 12 blocks."""

    name = "dinov3-base"


class SiglipPatches(VitPatches):
    """Vision tower of SigLIP 2 ViT-B/16 (arXiv 2502.14786): 768 channels a block, 12 blocks."""

    name = "siglip2-base"

    def __init__(self, *, blocks: str = "6,9", size: int = 320, dtype: str = "bfloat16", tiles: int = 0) -> None:
        super().__init__(blocks=blocks, size=size, dtype=dtype, tiles=tiles)
