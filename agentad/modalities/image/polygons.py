"""The outline of a region as a polygon.

contourpy traces: it needs nothing but numpy, where scikit-image brings five packages and OpenCV sixty megabytes.
Coordinates are those of boxes: the pixel in column x covers x to x + 1, so that a polygon touches its region's box.
"""

from __future__ import annotations

import numpy as np
from contourpy import contour_generator
from numpy.typing import NDArray

Polygon = tuple[tuple[float, float], ...]
"""(x, y) of each corner, in order around the region; the last is joined to the first."""

MOST_POINTS = 64
"""Aimed at; the outline is simplified until it has no more."""
MOST_SIDE = 1024
"""A larger region is traced in blocks of pixels, so that tracing needs little memory."""
FINEST = 0.25
"""Pixels by which the outline may be simplified at first; corners are cut by half a pixel in any case."""
_INSIDE = 0.49
"""Just below a half, so that pixels that touch by a corner are traced as one region."""


def outer_polygon(mask: NDArray[np.bool_]) -> Polygon:
    """The outer border of the one connected region (8 neighbours) in `mask` (h, w); holes are not followed.

    Simplified by Douglas and Peucker's method (https://doi.org/10.3138/FM57-6770-U75U-7727), with a tolerance that is
    doubled from `FINEST` until `MOST_POINTS` are enough. At least three corners, multiples of half a pixel.
    """
    height, width = mask.shape
    block = -(-max(height, width) // MOST_SIDE)
    z = np.pad(_covered(mask, block), 1).astype(np.float64)
    rings = contour_generator(z=z).lines(_INSIDE)
    ring = max((np.asarray(r) for r in rings), key=lambda r: float(np.prod(np.ptp(r, axis=0))))
    ring = np.round((ring - 0.5) * 2) / 2 * block  # centres of padded pixels to edges of pixels
    ring = np.minimum(ring, (width, height)) + 0.0  # and no negative zeros
    corners, tolerance = ring, FINEST
    while True:
        fewer = _simplified(ring, tolerance)
        if len(fewer) < 4:  # closed: a line there and back
            break
        corners, tolerance = fewer, 2 * tolerance
        if len(corners) <= MOST_POINTS + 1:
            break
    return tuple((float(x), float(y)) for x, y in corners[:-1])


def _covered(mask: NDArray[np.bool_], block: int) -> NDArray[np.bool_]:
    """Which blocks of `block` x `block` pixels hold any of the region."""
    if block == 1:
        return mask
    for axis in (0, 1):
        mask = np.asarray(np.logical_or.reduceat(mask, np.arange(0, mask.shape[axis], block), axis=axis))
    return mask


def _simplified(ring: NDArray[np.float64], tolerance: float) -> NDArray[np.float64]:
    """The corners of a closed `ring` (k, 2) that are needed to stay within `tolerance` of it; closed as well."""
    far = int(((ring - ring[0]) ** 2).sum(axis=1).argmax())
    keep = {0, far, len(ring) - 1}
    pending = [(0, far), (far, len(ring) - 1)]
    while pending:
        first, last = pending.pop()
        if last - first < 2:
            continue
        offset = ring[first + 1 : last] - ring[first]
        x, y = along = ring[last] - ring[first]
        away = np.abs(offset[:, 0] * y - offset[:, 1] * x) / max(float(np.hypot(*along)), 1e-12)
        most = int(away.argmax())
        if away[most] > tolerance:
            middle = first + 1 + most
            keep.add(middle)
            pending += [(first, middle), (middle, last)]
    return ring[sorted(keep)]
