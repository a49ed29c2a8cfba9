"""Pictures for people: score maps over images, outlines, small sheets. Everything is uint8 (H, W, 3)."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import binary_dilation, binary_erosion

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
PAPER = 255


def heatmap(image: Pixels, scores: NDArray[np.floating[Any]], low: float, high: float) -> Pixels:
    """`image` with `scores` (H, W) laid over it: clear at `low` and below, strongest at `high` and above."""
    heat = np.clip((np.asarray(scores, dtype=np.float32) - low) / max(high - low, 1e-12), 0, 1)[:, :, None]
    steps = np.linspace(0, 1, len(COLOURS))
    colour = np.stack([np.interp(heat[:, :, 0], steps, channel) for channel in COLOURS.T], axis=-1)
    cover = MOST_COVER * np.sqrt(heat)
    blend: Pixels = np.rint((1 - cover) * image + cover * colour).astype(np.uint8)
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
    if mask is not None:
        drawn |= binary_dilation(mask, iterations=line) & ~mask
    for left, top, right, bottom in boxes:
        inside = np.zeros_like(drawn)
        inside[top:bottom, left:right] = True
        drawn |= inside & ~binary_erosion(inside, iterations=line)
    result = image.copy()
    result[drawn] = colour
    return result


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
