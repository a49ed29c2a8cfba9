"""Laying a template onto an image: boards and prints lie a little differently under the camera every time.

An affine map is found by Gauss-Newton steps on the difference of the blurred brightness, coarse to fine (Lucas and
Kanade 1981; the inverse-free form of Baker and Matthews 2004, https://doi.org/10.1023/B:VISI.0000011205.11775.fd).
Differences weigh less the larger they are, so that a defect does not pull the template towards itself.

Notation: image I and template T over centred coordinates p = (y, x) in units of the longer side; the map is
W(p) = p + A p + t; residual r(p) = T(W(p)) - I(p).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from agentad.modalities.image.pixels import Pixels

Floats = NDArray[np.float32]

LEVELS = ((80, 10), (160, 8), (320, 6))
"""(longer side in pixels, steps) from coarse to fine."""
BLUR = 1.5
"""Standard deviation of the blur, pixels of the level."""
LARGE = 0.1
"""Difference in brightness (0 to 1) that weighs half."""
FARTHEST = 0.05
"""Largest displacement that is believed, as a share of the longer side; farther, the template is left where it is."""
DAMPING = 1e-3


def onto(template: Pixels, image: Pixels) -> Pixels:
    """`template` moved onto `image`: uint8 of the shape of `image` (H, W, 3).

    A template of another size is resized first. It stays in place where moving it does not lower the difference or
    would move it farther than `FARTHEST`. At the border what lies outside the template repeats its edge.
    """
    height, width = image.shape[:2]
    if template.shape != image.shape:
        template = np.asarray(Image.fromarray(template).resize((width, height), Image.Resampling.BICUBIC))
    if np.array_equal(template, image) or min(height, width) < 16:
        return template
    found = _affine(_levels(template), _levels(image))
    if not found.any():
        return template
    where = _warped(found, (height, width))
    planes = [ndimage.map_coordinates(template[..., k], where, order=1, mode="nearest") for k in range(3)]
    return np.stack(planes, axis=-1)


def _levels(image: Pixels) -> list[Floats]:
    grey = Image.fromarray(image).convert("L")
    longer = max(grey.size)
    found = []
    for side, _ in LEVELS:
        size = tuple(max(8, round(n * min(1.0, side / longer))) for n in grey.size)
        small = np.asarray(grey.resize((size[0], size[1]), Image.Resampling.BOX), np.float32) / 255
        found.append(ndimage.gaussian_filter(small, BLUR))
    return found


def _affine(template: list[Floats], image: list[Floats]) -> NDArray[np.float64]:
    """(2, 3): A and t, zeros where nothing better was found."""
    best = np.zeros((2, 3))
    for (_, steps), t, i in zip(LEVELS, template, image, strict=True):
        y, x = _centred(i.shape)
        lowest, now = _cost(_moved(t, best) - i), best
        for _ in range(steps):
            moved = _moved(t, now)
            now = now + _step(moved, moved - i, y, x)
            cost = _cost(_moved(t, now) - i)
            if cost < lowest and _farthest(now) <= FARTHEST:
                lowest, best = cost, now
    return best


def _step(moved: Floats, r: Floats, y: Floats, x: Floats) -> NDArray[np.float64]:
    gy, gx = (g * max(moved.shape) for g in np.gradient(moved))
    jacobian = np.stack([gy * y, gy * x, gy, gx * y, gx * x, gx], axis=-1).reshape(-1, 6).astype(np.float64)
    weighted = jacobian * (1 / (1 + (r.reshape(-1, 1) / LARGE) ** 2))
    normal = weighted.T @ jacobian
    normal += np.eye(6) * (DAMPING * np.trace(normal) / 6 + 1e-9)
    return np.asarray(-np.linalg.solve(normal, weighted.T @ r.ravel()).reshape(2, 3), np.float64)


def _cost(r: Floats) -> float:
    return float(np.minimum(r**2, LARGE**2).mean())


def _farthest(affine: NDArray[np.float64]) -> float:
    """Largest displacement of a corner of a square image."""
    corners = np.array([[-0.5, -0.5, 1], [-0.5, 0.5, 1], [0.5, -0.5, 1], [0.5, 0.5, 1]])
    return float(np.abs(corners @ affine.T).max())


def _centred(shape: tuple[int, ...]) -> tuple[Floats, Floats]:
    height, width = shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    longer = max(height, width)
    return (y - (height - 1) / 2) / longer, (x - (width - 1) / 2) / longer


def _warped(affine: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """(2, H, W): where in the template each pixel of the image comes from."""
    y, x = _centred(shape)
    longer = max(shape)
    rows, columns = np.indices(shape[:2], dtype=np.float32)
    move = [longer * (a * y + b * x + c) for a, b, c in affine.astype(np.float32)]
    return np.stack([rows + move[0], columns + move[1]])


def _moved(image: Floats, affine: NDArray[np.float64]) -> Floats:
    moved: Floats = ndimage.map_coordinates(image, _warped(affine, image.shape), order=1, mode="nearest")
    return moved
