"""An encoder for images that come with templates."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np

from agentad.backbones.encoder import Features, Image, PatchEncoder


class PairedEncoder:
    """Features of images and of their templates, one after the other along the channels. It is saved as `inner` is."""

    def __init__(self, inner: PatchEncoder) -> None:
        self.inner = inner
        self.name = inner.name

    def shaped(self, *, aspect: float, pixels: float) -> Self:
        """The same with the grid of `inner` for images of `aspect` (width / height) and `pixels` (width × height)."""
        return type(self)(self.inner.shaped(aspect=aspect, pixels=pixels))

    @property
    def channels(self) -> int:
        """Twice those of the encoder inside."""
        return 2 * self.inner.channels

    @property
    def grid(self) -> tuple[int, int]:
        """(rows, columns) of patches."""
        return self.inner.grid

    def encode(self, images: Sequence[Image]) -> Features:
        """(n, rows, columns, channels) features of n images that are their own templates."""
        return self.encode_pairs(images, images)

    def encode_pairs(self, images: Sequence[Image], templates: Sequence[Image]) -> Features:
        """(n, rows, columns, channels): the first half of the channels is the image, the second its template."""
        return np.concatenate([self.inner.encode(images), self.inner.encode(templates)], axis=-1)

    def save(self, folder: Path) -> None:
        """Write what `inner` needs; the plan says that it is paired."""
        self.inner.save(folder)
