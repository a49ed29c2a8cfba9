"""What turns images into patch features."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
"""(height, width, 3) RGB."""
Features = NDArray[np.floating[Any]]
"""(images, rows, columns, channels), row 0 at the top."""


class PatchEncoder(Protocol):
    """Images in, one feature vector a patch out. The same images give the same features every time.

    Constructor parameters are keyword-only scalars, and exactly those of the tool card.
    """

    name: str
    """The tool card's name."""

    @property
    def channels(self) -> int:
        """Length of a patch's feature vector."""
        ...

    @property
    def grid(self) -> tuple[int, int]:
        """(rows, columns) of patches, whatever the size of the image; square until `shaped`."""
        ...

    def shaped(self, *, aspect: float, pixels: float) -> Self:
        """The same encoder with a grid for images of `aspect` (width / height) and `pixels` (width × height)."""
        ...

    def encode(self, images: Sequence[Image]) -> Features:
        """(n, rows, columns, channels) features of n images, which may differ in size.

        Raises:
            InputError: an image is not uint8 of shape (height, width, 3).
        """
        ...

    def save(self, folder: Path) -> None:
        """Write everything `load` needs, weights included, as safetensors and JSON."""
        ...
