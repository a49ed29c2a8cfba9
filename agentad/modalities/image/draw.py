"""Pictures for people: score maps over images, outlines, small sheets. Everything is uint8 (H, W, 3)."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import binary_dilation

Pixels = NDArray[np.uint8]
Box = tuple[int, int, int, int]
"""left, top, right, bottom; right and bottom exclusive."""

COLOURS = np.array(
    [
        (106, 23, 110),
        (147, 38, 103),
        (188, 55, 84),
        (221, 81, 58),
        (243, 120, 25),
        (252, 165, 10),
        (246, 215, 70),
        (252, 255, 164),
    ]
)
"""Upper 70 % of the colour map inferno: perceptually uniform, and readable without colour vision. Its dark end would
blacken what is barely above normal."""
JPEG_QUALITY = 82
MOST_COVER = 0.7
"""How much of the image the highest scores hide."""
SHADES = 1024
"""Steps of the colour map."""
STRIP = 256
"""Rows drawn at a time, so that a large image takes little memory."""
PAPER = 255


def heatmap(image: Pixels, scores: NDArray[np.floating[Any]], low: float, high: float) -> Pixels:
    """`image` with `scores` (H, W) laid over it: clear at `low` and below, strongest at `high` and above."""
    heat = np.linspace(0, 1, SHADES, dtype=np.float32)
    steps = np.linspace(0, 1, len(COLOURS))
    colour = np.stack([np.interp(heat, steps, channel) for channel in COLOURS.T], axis=-1).astype(np.float32)
    cover = MOST_COVER * np.sqrt(heat)[:, None]
    laid, left = cover * colour, 1 - cover
    blend = np.empty_like(image)
    for top in range(0, len(image), STRIP):
        part = slice(top, top + STRIP)
        share = (np.asarray(scores[part], dtype=np.float32) - low) / max(high - low, 1e-12)
        shade = np.rint(np.clip(share, 0, 1) * (SHADES - 1)).astype(np.intp)
        blend[part] = np.rint(left[shade] * image[part] + laid[shade])
    return blend


def outline(
    image: Pixels,
    mask: NDArray[np.bool_] | None = None,
    boxes: Iterable[Box] = (),
    *,
    colour: tuple[int, int, int] = (0, 255, 255),
) -> Pixels:
    """A copy of `image` with the border of `mask` (H, W) and the `boxes` drawn in; what lies inside stays visible."""
    line = max(1, round(max(image.shape[:2]) / 400))
    drawn = np.zeros(image.shape[:2], dtype=np.bool_)
    if mask is not None and mask.any():
        rows, columns = (_span(np.asarray(mask.any(axis=axis)), line) for axis in (1, 0))
        drawn[rows, columns] = binary_dilation(mask[rows, columns], iterations=line) & ~mask[rows, columns]
    for left, top, right, bottom in boxes:
        inside = drawn[top:bottom, left:right]
        for edge in (inside[:line], inside[-line:], inside[:, :line], inside[:, -line:]):
            edge[...] = True
    result = image.copy()
    result[drawn] = colour
    return result


def _span(marked: NDArray[np.bool_], margin: int) -> slice:
    """From the first to the last marked place, and `margin` further."""
    places = np.flatnonzero(marked)
    return slice(max(int(places[0]) - margin, 0), int(places[-1]) + 1 + margin)


def thumbnail(image: Pixels, side: int) -> Pixels:
    """`image` with its longer side at most `side` pixels; never enlarged."""
    small = Image.fromarray(image)
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    return np.asarray(small)


def contact_sheet(images: Sequence[Pixels], *, columns: int = 6, side: int = 160, gap: int = 4) -> Pixels:
    """`images` as thumbnails in rows from the top left, centred in cells of `side`, on white. At least one image."""
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    step = side + gap
    sheet = np.full((rows * step - gap, columns * step - gap, 3), PAPER, dtype=np.uint8)
    for k, image in enumerate(images):
        small = thumbnail(image, side)
        height, width = small.shape[:2]
        top = k // columns * step + (side - height) // 2
        left = k % columns * step + (side - width) // 2
        sheet[top : top + height, left : left + width] = small
    return sheet


def png_bytes(image: Pixels) -> bytes:
    """`image` as a PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


def jpeg_bytes(image: Pixels) -> bytes:
    """`image` as a JPEG file: a tenth of a PNG's size, for pages that show many."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="JPEG", quality=JPEG_QUALITY)
    return buffer.getvalue()
