"""From masks of pixels to the cells of an encoder's grid."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from agentad.detectors.base import Floats, Ints
from agentad.detectors.judged import Judged

Floats32 = NDArray[np.float32]


def covered(masks: Iterable[NDArray[np.bool_]], grid: tuple[int, int]) -> Floats32:
    """(n, rows, columns) share of each cell of `grid` that a mask (height, width) covers, 0 to 1."""
    shares = [_overlap(m.shape[0], grid[0]) @ m.astype(np.float32) @ _overlap(m.shape[1], grid[1]).T for m in masks]
    return np.asarray(np.clip(shares, 0, 1), dtype=np.float32).reshape(-1, *grid)


def _overlap(pixels: int, cells: int) -> Floats32:
    """(cells, pixels) the part of each cell that each pixel takes."""
    edges = np.linspace(0, pixels, cells + 1)
    left, right = edges[:-1, None], edges[1:, None]
    at = np.arange(pixels)
    taken = np.minimum(right, at + 1) - np.maximum(left, at)
    return np.asarray(np.clip(taken, 0, None) * (cells / pixels), dtype=np.float32)


def claimed(items: Judged, i: int, most: int | None = None) -> Ints:
    """Indices of the cells of item `i` that its mask covers by half or more, the most covered first.

    Where no cell is covered by half, those that are covered the most. At most `most` of them; none of an empty mask.
    """
    share = _shares(items)[i].ravel()
    if not share.max() > 0:
        return np.zeros(0, np.int64)
    order = np.argsort(-share, kind="stable")
    return order[: int((share >= min(0.5, float(share.max()))).sum())][:most]


def touched(items: Judged, i: int) -> Ints:
    """Indices of the cells of item `i` that its mask touches."""
    return np.flatnonzero(_shares(items)[i].ravel() > 0)


def _shares(items: Judged) -> Floats:
    assert items.where is not None  # noqa: S101  only asked of images
    return items.where
