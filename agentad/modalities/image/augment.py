"""Altered copies of a normal image that are normal too, for when there are only few of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import chain

import numpy as np
from scipy import ndimage

from agentad.modalities.image.pixels import Pixels

ANGLES = (-5, 5)
"""Degrees of small turns."""


def augmented(image: Pixels, how: str) -> Iterator[Pixels]:
    """Copies of `image` (height, width, 3), of its size, always as many and in the same order; it is not among them.

    Raises:
        KeyError: `how` is none of `AUGMENTATIONS`.
    """
    return AUGMENTATIONS[how](image)


def turned(image: Pixels, degrees: float) -> Pixels:
    """Turned about its middle, counter-clockwise; what comes in from outside repeats the border's pixels."""
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    back = np.array([[cos, sin], [-sin, cos]])  # from a place (row, column) to where its pixel comes from
    middle = (np.array(image.shape[:2]) - 1) / 2
    channels = [
        ndimage.affine_transform(image[..., c], back, middle - back @ middle, order=1, mode="nearest")
        for c in range(image.shape[2])
    ]
    return np.stack(channels, axis=-1)


def _small(image: Pixels) -> Iterator[Pixels]:
    yield from (turned(image, angle) for angle in ANGLES)


def _flips(image: Pixels) -> Iterator[Pixels]:
    yield from (np.ascontiguousarray(copy) for copy in (image[:, ::-1], image[::-1]))


def _turns(image: Pixels) -> Iterator[Pixels]:
    yield from (turned(image, angle) for angle in range(45, 360, 45))


AUGMENTATIONS: Mapping[str, Callable[[Pixels], Iterator[Pixels]]] = {
    "none": lambda image: iter(()),
    "small": _small,
    "flips": _flips,
    "turns": _turns,
    "all": lambda image: chain(_small(image), _flips(image), _turns(image)),
}
"""By name: small turns; both flips; every eighth of a turn; all of these."""
