"""Local scores: from patches to pixels, from pixels to regions, to and from a file's bytes. Higher = more anomalous."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from agentad.errors import UnreadableData
from agentad.modalities.image.polygons import Polygon, outer_polygon

Floats = NDArray[np.floating[Any]]

SMOOTHING = 0.5
"""Standard deviation of the Gaussian laid over the patch scores, in patches."""
SMALLEST_SHARE = 1e-4
"""Regions below this share of the image are dropped, unless no other is as high."""


class Region(NamedTuple):
    """A connected region of pixels above the threshold."""

    box: tuple[int, int, int, int]
    """left, top, right, bottom in pixels; right and bottom exclusive."""
    area: int
    """Pixels."""
    peak: float
    """Highest score inside."""
    at: tuple[int, int]
    """x, y of the peak."""
    polygon: Polygon
    """The outer border, in the box's coordinates; see `polygons`."""


def upsample(patch_map: Floats, size: tuple[int, int]) -> NDArray[np.float32]:
    """Patch scores (h, w) as pixel scores float32 (H, W) for an image of `size` (W, H).

    Smoothed by `SMOOTHING`, then bilinear between patch centres. Constants stay what they are.
    """
    grown = Image.fromarray(_smooth(patch_map)).resize(size, Image.Resampling.BILINEAR)
    return np.asarray(grown, dtype=np.float32)


def cell_share(mask: NDArray[np.bool_], grid: tuple[int, int]) -> NDArray[np.float32]:
    """(rows, columns) which share of each cell of a `grid` laid over `mask` (H, W) is True."""
    down, across = (_overlap(n, cells) for n, cells in zip(mask.shape, grid, strict=True))
    found: NDArray[np.float32] = down @ mask.astype(np.float32) @ across.T
    return found


def shares(masks: Iterable[NDArray[np.bool_]], grid: tuple[int, int]) -> NDArray[np.float32]:
    """(n, rows, columns) `cell_share` of n masks."""
    return np.array([cell_share(mask, grid) for mask in masks], np.float32).reshape(-1, *grid)


def _overlap(pixels: int, cells: int) -> NDArray[np.float32]:
    """(cells, pixels) which part of a cell each pixel is; rows sum to 1."""
    edge = np.linspace(0, pixels, cells + 1)
    at = np.arange(pixels)
    inside = np.minimum(edge[1:, None], at + 1) - np.maximum(edge[:-1, None], at)
    return np.asarray(np.maximum(inside, 0) * cells / pixels, dtype=np.float32)


def peaks(patch_maps: Floats) -> NDArray[np.float32]:
    """The highest pixel score (n,) that `upsample` can make of each of `patch_maps` (n, h, w), whatever the size."""
    return np.array([_smooth(patch_map).max() for patch_map in patch_maps], dtype=np.float32)


def _smooth(patch_map: Floats) -> NDArray[np.float32]:
    found: NDArray[np.float32] = ndimage.gaussian_filter(
        np.asarray(patch_map, dtype=np.float32), SMOOTHING, mode="nearest"
    )
    return found


def regions(scores: Floats, threshold: float, most: int | None = None) -> list[Region]:
    """The connected regions (8 neighbours) of `scores` (H, W) above `threshold`, highest peak first, then largest.

    At most `most` of them; only those are outlined.
    """
    label, _ = ndimage.label(scores > threshold, structure=np.ones((3, 3), dtype=int))
    found = [_Blob.of(scores, label, number, where) for number, where in enumerate(ndimage.find_objects(label), 1)]
    found.sort(key=lambda b: (-b.peak, -b.area, b.box))
    kept = [b for k, b in enumerate(found) if k == 0 or b.area >= SMALLEST_SHARE * scores.size]
    return [Region(b.box, b.area, b.peak, b.at, b.polygon(label)) for b in kept[:most]]


class _Blob(NamedTuple):
    """A region not outlined yet."""

    number: int
    where: tuple[slice, slice]
    area: int
    peak: float
    at: tuple[int, int]

    @classmethod
    def of(cls, scores: Floats, label: NDArray[np.int32], number: int, where: tuple[slice, slice]) -> _Blob:
        inside = label[where] == number
        values = np.where(inside, scores[where], -np.inf)
        y, x = np.unravel_index(int(values.argmax()), values.shape)
        at = (int(x) + where[1].start, int(y) + where[0].start)
        return cls(number, where, int(inside.sum()), float(values[y, x]), at)

    @property
    def box(self) -> tuple[int, int, int, int]:
        rows, columns = self.where
        return columns.start, rows.start, columns.stop, rows.stop

    def polygon(self, label: NDArray[np.int32]) -> Polygon:
        left, top, _, _ = self.box
        return tuple((x + left, y + top) for x, y in outer_polygon(label[self.where] == self.number))


def map_to_bytes(scores: Floats) -> bytes:
    """`scores` (H, W) as a plain float32 TIFF: deflating took a tenth of the time and saved a seventh of the space."""
    buffer = io.BytesIO()
    image = Image.fromarray(np.ascontiguousarray(scores, dtype=np.float32))
    image.save(buffer, format="TIFF")
    return buffer.getvalue()


def map_from_bytes(data: bytes) -> NDArray[np.float32]:
    """What `map_to_bytes` wrote, float32 (H, W). Raises UnreadableData."""
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(io.BytesIO(data), formats=("TIFF",)) as image:
            if image.mode == "F":
                return np.array(image, dtype=np.float32)
    except (OSError, SyntaxError, ValueError) as problem:
        raise UnreadableData(f"damaged score map: {problem}") from problem
    raise UnreadableData(f"a score map holds float32 values, this image is {image.mode}")
