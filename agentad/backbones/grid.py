"""The grid of patches an encoder lays over images, and the tiles it is computed in."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from agentad.errors import InputError

SQUARE_ENOUGH = 1.1
"""Images whose sides differ by less than this factor get a square grid."""
LONGEST = 4.0
"""A grid is never longer than this many times its other side; images beyond that are squeezed."""
MOST_TILES = 4
"""Tiles a side that `tiles=0` may choose."""
SHRINK = 4.0
"""`tiles=0` takes more tiles until an image is shrunk by no more than this factor a side, within `MOST_TILES`."""
OVERLAP = 4
"""Patches that neighbouring tiles share."""


@dataclass(frozen=True)
class Grid:
    """`rows` × `columns` patches of `patch` pixels a side, computed as `tiles` × `tiles` overlapping tiles."""

    rows: int
    columns: int
    patch: int
    tiles: int = 1

    @property
    def pixels(self) -> tuple[int, int]:
        """(height, width) that images are resized to."""
        return self.rows * self.patch, self.columns * self.patch

    @property
    def windows(self) -> list[Window]:
        """The tiles row by row; all have the same shape."""
        down, across = (spans(total, self.tiles) for total in (self.rows, self.columns))
        return [Window(top, left, *fade) for top, one in down for left, two in across for fade in [(one, two)]]


@dataclass(frozen=True)
class Window:
    """A tile: where it begins on the grid, and how much each of its patches counts."""

    top: int
    left: int
    down: NDArray[np.float32]
    """(rows of the tile,) weights; those of all tiles sum to 1 over each row of the grid."""
    across: NDArray[np.float32]
    """(columns of the tile,)"""


def square(size: int, patch: int) -> Grid:
    """The grid of an image of `size` × `size` pixels.

    Raises:
        InputError: `size` is not a positive multiple of `patch`.
    """
    if size < patch or size % patch:
        low = max(1, size // patch) * patch
        raise InputError(f"size {size}: give a multiple of the patch side {patch}, such as {low} or {low + patch}")
    return Grid(size // patch, size // patch, patch)


def shaped(plain: Grid, aspect: float, pixels: float, tiles: int) -> Grid:
    """The square grid `plain`, made to follow images of a typical shape, without more patches a tile.

    Args:
        plain: the square grid.
        aspect: width / height of the images.
        pixels: width × height of the images.
        tiles: tiles a side; 0 chooses by `SHRINK`.
    """
    side = plain.rows
    if tiles == 0:
        tiles = round(min(max(math.sqrt(pixels) / (side * plain.patch * SHRINK), 1), MOST_TILES))
    stretch = math.sqrt(min(max(aspect, 1 / LONGEST), LONGEST))
    if abs(math.log(aspect)) < math.log(SQUARE_ENOUGH):
        stretch = 1.0
    # A tile of the exact shape and area; rounding down keeps its cost below that of the square.
    rows, columns = (max(1, math.floor(side * tiles * by + 1e-9)) for by in (1 / stretch, stretch))
    return replace(plain, rows=rows, columns=columns, tiles=min(tiles, rows, columns))


def spans(total: int, tiles: int) -> list[tuple[int, NDArray[np.float32]]]:
    """(start, weights) of `tiles` equal stretches that cover 0 to `total` and overlap by about `OVERLAP`.

    Where stretches overlap, one fades out as the other fades in, along a squared sine: what is computed beside a cut
    knows little of its surroundings, and counts little.
    """
    overlap = min(OVERLAP, total // tiles // 2) if tiles > 1 else 0
    length = math.ceil((total + (tiles - 1) * overlap) / tiles)
    starts = [round(k * (total - length) / max(tiles - 1, 1)) for k in range(tiles)]
    fade = np.sin(np.pi / 2 * (np.arange(overlap) + 0.5) / max(overlap, 1)) ** 2
    raw = np.zeros((tiles, total))
    for k, start in enumerate(starts):
        weights = np.ones(length)
        if k > 0:
            weights[:overlap] = fade
        if k < tiles - 1:
            weights[length - overlap :] *= fade[::-1]
        raw[k, start : start + length] = weights
    raw /= raw.sum(axis=0)
    return [(start, raw[k, start : start + length].astype(np.float32)) for k, start in enumerate(starts)]
