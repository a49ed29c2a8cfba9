"""Putting one piece of an image into another without a visible seam, and saying where the change can be seen."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from agentad.generators.images.base import Mask, Pixels

Floats = NDArray[np.float32]
Box = tuple[slice, slice]

LEVEL = 8.0
"""Grey levels that a change has to exceed to be seen, in its largest channel and averaged over neighbours."""
NEAR = 24.0
"""Grey levels by which a piece's surroundings may differ from those where it is put and still count."""
FEATHER = 2.0
"""Pixels over which a change grows to its full size from the border of its mask inwards."""
SWEEPS = 8
LEAST = 6
"""Pixels of the smallest change that counts."""


def harmonic(values: Floats, known: Mask) -> Floats:
    """`values` (h, w, c) with what is not `known` (h, w) filled smoothly from its surroundings.

    Laplace's equation with the known pixels as boundary, nearly: pulled to ever coarser grids and pushed back, with a
    few Jacobi sweeps at each. Zeros where nothing is known.
    """
    if known.all():
        return values
    if not known.any():
        return np.zeros_like(values)
    height, width = known.shape
    if max(height, width) <= 2:
        return np.where(known[..., None], values, values[known].mean(axis=0)).astype(np.float32)
    weight = _halved(known[..., None].astype(np.float32))
    mean = _halved(np.where(known[..., None], values, 0)) / np.maximum(weight, 1e-6)
    coarse = harmonic(mean.astype(np.float32), weight[..., 0] > 0)
    pushed = coarse.repeat(2, axis=0).repeat(2, axis=1)[:height, :width]
    filled: Floats = np.where(known[..., None], values, pushed).astype(np.float32)
    rows, columns = np.nonzero(~known)
    above, below = np.maximum(rows - 1, 0), np.minimum(rows + 1, height - 1)
    left, right = np.maximum(columns - 1, 0), np.minimum(columns + 1, width - 1)
    for _ in range(SWEEPS):
        around = filled[above, columns] + filled[below, columns] + filled[rows, left] + filled[rows, right]
        filled[rows, columns] = around / 4
    return filled


def grafted(piece: Floats, image: Floats, region: Mask) -> Floats:
    """The change (h, w, 3) that puts `piece` into the `region` of `image`, shifted in colour so that its border fits.

    `image` plus the change is piece + harmonic(image - piece), which has the piece's gradients and the image's values
    at the border: Poisson image editing (Pérez et al. 2003, https://doi.org/10.1145/882262.882269), but for parts of
    the border where the two differ by more than `NEAR` and than they do at half of it, which do not count.
    """
    difference = image - piece
    ring = ndimage.binary_dilation(region, iterations=2) & ~region
    far = np.abs(difference).max(axis=-1)
    usual = float(np.median(far[ring])) if ring.any() else np.inf
    known = ~region & (far <= max(NEAR, usual))
    change = harmonic(difference, known) - difference
    change[~region] = 0
    return change


def laid(image: Pixels, change: Floats, region: Mask, box: Box, *, level: float = LEVEL) -> tuple[Pixels, Mask] | None:
    """A copy of `image` (H, W, 3) with the `change` (h, w, 3) made in its `box`, and the mask (H, W) of where it shows.

    The mask is the part of `region` (h, w) where the change exceeds `level`, without holes and specks; outside it the
    image stays as it is, and inside the change grows over `FEATHER` pixels. None where too little is to be seen.
    """
    size = np.abs(change).max(axis=-1)
    seen = region & (ndimage.gaussian_filter(np.where(region, size, 0), 1.0) > level)
    seen = ndimage.binary_fill_holes(ndimage.binary_closing(np.pad(seen, 3), iterations=3))[3:-3, 3:-3] & region
    labels, count = ndimage.label(seen, np.ones((3, 3)))
    if not count:
        return None
    areas = np.bincount(labels.ravel())
    areas[0] = 0
    seen = (areas >= max(LEAST, areas.max() / 20))[labels]
    depth = ndimage.distance_transform_edt(np.pad(seen, 1))[1:-1, 1:-1]
    soft = np.clip(depth / FEATHER, 0, 1) * seen
    if not seen.any() or (size * soft).max() < 2 * level:
        return None
    result, mask = image.copy(), np.zeros(image.shape[:2], dtype=np.bool_)
    part = image[box].astype(np.float32) + soft[..., None].astype(np.float32) * change
    result[box] = np.where(seen[..., None], np.rint(np.clip(part, 0, 255)), image[box]).astype(np.uint8)
    mask[box] = seen
    return result, mask


def around(mask: Mask, margin: int) -> Box:
    """The box that holds a mask (H, W), not empty, and `margin` pixels more where the image has them."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return (
        slice(max(int(rows[0]) - margin, 0), min(int(rows[-1]) + 1 + margin, mask.shape[0])),
        slice(max(int(columns[0]) - margin, 0), min(int(columns[-1]) + 1 + margin, mask.shape[1])),
    )


def _halved(values: Floats) -> Floats:
    """Sums over blocks of two by two."""
    height, width, channels = values.shape
    even = np.pad(values, ((0, height % 2), (0, width % 2), (0, 0)))
    return np.asarray(even.reshape((height + 1) // 2, 2, (width + 1) // 2, 2, channels).sum(axis=(1, 3)))
