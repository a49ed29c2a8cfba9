"""Where the object is in an image, and how it lies there.

The background is taken to be what the border of the image shows. A pixel belongs to the object if its colour is farther
from the median of its own image's border than a threshold, which is Otsu's over many normal images (Otsu 1979,
https://doi.org/10.1109/TSMC.1979.4310076). A surface that fills the image has no such split, and is all object.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from agentad.generators.images.base import Mask, Pixels

Floats = NDArray[np.float64]

LOOKED_AT = 24
"""Normal images that the threshold is learned from."""
SIDE = 256
"""Longer side, in pixels, at which objects are looked for."""
SPLIT = 0.6
"""Least share of the variance of the distances that two classes explain."""
BETWEEN = 0.16
"""Greatest share of the distances that may lie within a quarter of the threshold; a shade that fades has more."""
SMALL = 0.01
"""Share of the image up to which a hole is filled."""
THREAD = 3
"""Pixels at `SIDE`: what is thinner than twice that is kept only close to the object's thicker parts."""
LONG = 1.5
"""Length over breadth from which an object has a direction."""
HEAVY = 0.1
"""Skewness along its axis from which it is known which end is which."""


@dataclass(frozen=True)
class Foreground:
    """Finds the object in images like those it was fitted on."""

    threshold: float | None
    """Distance to the border's colour, in grey levels; None: everything is object."""

    @classmethod
    def fit(cls, normal: Sequence[Pixels]) -> Self:
        """Learn from normal images (H, W, 3), evenly from all of them."""
        chosen = np.unique(np.linspace(0, len(normal) - 1, min(len(normal), LOOKED_AT)).astype(int))
        distances = [_distance(_small(normal[int(i)])) for i in chosen]
        pooled = np.concatenate([d.ravel() for d in distances])
        threshold, explained = otsu(pooled)
        split = explained >= SPLIT and np.mean(np.abs(pooled - threshold) < threshold / 4) <= BETWEEN
        return cls(threshold if split and _in_the_middle(distances, threshold) else None)

    def of(self, image: Pixels) -> Mask:
        """(H, W) of `image`, True on the object; True everywhere where no object is found."""
        shape = image.shape[:2]
        if self.threshold is None:
            return np.ones(shape, dtype=np.bool_)
        found = _tidied(_distance(_small(image)) > self.threshold)
        if not found.any():
            return np.ones(shape, dtype=np.bool_)
        step = _step(shape)
        return found if step == 1 else found.repeat(step, axis=0).repeat(step, axis=1)[: shape[0], : shape[1]]


@dataclass(frozen=True)
class Pose:
    """How an object lies: its own coordinates are (along, across) in units of `size`."""

    centre: Floats
    """(row, column)"""
    size: float
    """Root of its area, pixels."""
    angle: float
    """Of its long axis, radians from the rows' direction towards the columns'; 0 for one without."""
    directed: bool
    """Whether it has a long axis."""
    headed: bool
    """Whether it is known which end of the axis is which: the heavier one lies forward."""


def pose(mask: Mask) -> Pose:
    """Of an object (H, W), not empty, from the moments of its outline.

    One that fills the image has the image's middle and no direction.
    """
    places = np.argwhere(mask).astype(np.float64)
    centre, size = places.mean(axis=0), float(np.sqrt(len(places)))
    if len(places) < 3 or mask.all():
        return Pose(centre, size, 0.0, directed=False, headed=False)
    values, vectors = np.linalg.eigh(np.cov(places.T))
    if values[1] < LONG**2 * values[0]:
        return Pose(centre, size, 0.0, directed=False, headed=False)
    along = (places - centre) @ vectors[:, 1]
    skewness = float(np.mean(along**3) / values[1] ** 1.5)
    axis = vectors[:, 1] * (-1 if skewness < 0 else 1)
    return Pose(centre, size, float(np.arctan2(axis[1], axis[0])), directed=True, headed=abs(skewness) >= HEAVY)


def rotation(angle: float) -> Floats:
    """(2, 2) that turns (row, column) by `angle` radians, from the rows' direction towards the columns'."""
    cos, sin = np.cos(angle), np.sin(angle)
    return np.array([[cos, -sin], [sin, cos]])


def turn_between(source: Pose, target: Pose) -> float:
    """Angle that turns `source` into `target`, radians; the smaller one where an end cannot be told from the other."""
    if not (source.directed and target.directed):
        return 0.0
    turn = target.angle - source.angle
    period = 2 * np.pi if source.headed and target.headed else np.pi
    return float((turn + period / 2) % period - period / 2)


def otsu(values: NDArray[np.floating]) -> tuple[float, float]:
    """Threshold between two classes of `values`, and the share of their variance that it explains."""
    counts, edges = np.histogram(values, bins=256)
    middles = (edges[:-1] + edges[1:]) / 2
    share = counts / counts.sum()
    below = np.cumsum(share)
    mean = np.cumsum(share * middles)
    total = mean[-1]
    variance = float(np.sum(share * (middles - total) ** 2))
    if variance == 0:
        return float(edges[-1]), 0.0
    between = np.zeros_like(below)
    inner = (below > 0) & (below < 1)
    between[inner] = (total * below[inner] - mean[inner]) ** 2 / (below[inner] * (1 - below[inner]))
    best = int(np.argmax(between))
    return float(edges[best + 1]), float(between[best] / variance)


def _in_the_middle(distances: Sequence[Floats], threshold: float) -> bool:
    """Whether what lies beyond the threshold is in the middle rather than at the border, as objects are."""
    middle, border, all_of_it = (
        np.mean([np.mean(part(d) > threshold) for d in distances]) for part in (_middle, _border, np.asarray)
    )
    return bool(0.005 < all_of_it < 0.95 and border < 0.5 and middle > 1.5 * border + 0.05)


def _middle(distance: Floats) -> Floats:
    height, width = distance.shape
    return distance[height // 4 : -(height // 4) or None, width // 4 : -(width // 4) or None]


def _border(image: Floats) -> Floats:
    """(n, ...) pixels of a frame as wide as a thirtieth of the image."""
    wide = max(1, min(image.shape[:2]) // 30)
    parts = [image[:wide], image[-wide:], image[wide:-wide, :wide], image[wide:-wide, -wide:]]
    return np.concatenate([part.reshape(-1, *image.shape[2:]) for part in parts])


def _distance(image: Floats) -> Floats:
    """(H, W) of each pixel to the median colour of the border, grey levels."""
    return np.asarray(np.sqrt(((image - np.median(_border(image), axis=0)) ** 2).mean(axis=-1)))


def _step(shape: tuple[int, ...]) -> int:
    return max(1, -(-max(shape) // SIDE))


def _small(image: Pixels) -> Floats:
    """Blurred by a pixel, and thinned out to a longer side of at most `SIDE`."""
    step = _step(image.shape[:2])
    blurred = [ndimage.uniform_filter(image[..., k].astype(np.float32), max(3, step)) for k in range(3)]
    rows, columns = (np.minimum(np.arange(0, n, step) + step // 2, n - 1) for n in image.shape[:2])
    return np.asarray(np.stack(blurred, axis=-1)[rows][:, columns], dtype=np.float64)


def _tidied(mask: Mask) -> Mask:
    """Without small holes, threads and specks; parts smaller than a quarter of the largest count as specks."""
    filled = ~_large(~mask, SMALL * mask.size)
    core = ndimage.binary_opening(np.pad(filled, THREAD, mode="edge"), iterations=THREAD)[
        THREAD:-THREAD, THREAD:-THREAD
    ]
    core = _large(core, max(1.0, _largest(core) / 4))
    return np.asarray(filled & ndimage.binary_dilation(core, iterations=THREAD + 1))


def _large(mask: Mask, least: float) -> Mask:
    labels, _ = ndimage.label(mask)
    keep = np.bincount(labels.ravel()) >= least
    keep[0] = False
    return np.asarray(keep[labels])


def _largest(mask: Mask) -> float:
    labels, count = ndimage.label(mask)
    return float(np.bincount(labels.ravel())[1:].max()) if count else 0.0
