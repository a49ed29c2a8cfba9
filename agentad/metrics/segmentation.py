"""How well local scores point at the anomalous pixels: pixel AUROC, pixel AP and AUPRO. Higher = more anomalous.

Maps are visited one at a time and counted into about `BINS` bins, so that any number of them fits in memory. The order
of float32 numbers is cut into cells of 2^16 numbers, and each cell into bins in proportion to the scores it holds: bins
are narrow where scores are many, wherever that is, and outliers cost nothing. Where every distinct score has its own
bin, as in small sets, the results are exact; otherwise scores of one bin count as ties, which moves the AUROC by at
most `PixelCounts.tie_error`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from sklearn.metrics import auc

from agentad.errors import AgentadError

Floats = NDArray[np.floating[Any]]
Mask = NDArray[np.bool_]

BINS = 1 << 20
"""Bins aimed at; rounding to powers of two takes up to twice as many."""
CELL_BITS = 16
CELLS = 1 << (32 - CELL_BITS)
PRO_LIMIT = 0.3
"""Highest pixel false-positive rate that AUPRO looks at."""


@dataclass(frozen=True)
class PixelCounts:
    """Pixels per bin of score, highest score first, each (bins,)."""

    anomalous: NDArray[np.int64]
    normal: NDArray[np.int64]
    overlap: NDArray[np.float64]
    """Share of its ground-truth region that each pixel makes up, summed."""
    regions: int

    @property
    def both(self) -> bool:
        """Whether there are pixels of both classes."""
        return bool(self.anomalous.any() and self.normal.any())

    @property
    def tie_error(self) -> float:
        """How far binning can have moved the pixel AUROC."""
        pairs = float(self.anomalous.sum()) * float(self.normal.sum())
        return float(self.anomalous @ self.normal.astype(np.float64)) / (2 * pairs) if pairs else 0.0


def count_pixels(n: int, map_at: Callable[[int], Floats], mask_at: Callable[[int], Mask | None]) -> PixelCounts:
    """Visit n maps (H, W) with their masks (H, W) twice: to place the bins, then to count.

    Images whose mask is None are left out. Raises AgentadError for a map that is not finite or not its mask's shape.
    """
    in_cell = np.zeros(CELLS, dtype=np.int64)
    for i, scores, _ in _visit(n, map_at, mask_at):
        if not np.isfinite(scores).all():
            raise AgentadError(f"score map {i} holds values that are not finite")
        in_cell += np.bincount(_keys(scores).ravel() >> CELL_BITS, minlength=CELLS)
    counter = _Counter(in_cell)
    for _, scores, mask in _visit(n, map_at, mask_at):
        counter.add(scores, mask)
    return counter.counts()


def _visit(
    n: int, map_at: Callable[[int], Floats], mask_at: Callable[[int], Mask | None]
) -> Iterator[tuple[int, Floats, Mask]]:
    for i in range(n):
        mask = mask_at(i)
        if mask is None:
            continue
        scores = map_at(i)
        if scores.shape != mask.shape:
            raise AgentadError(f"score map {i} is {scores.shape}, its mask {mask.shape}")
        yield i, scores, mask


def pixel_auroc(counts: PixelCounts) -> float | None:
    """Area under the ROC curve over all pixels of all images; None without both classes."""
    if not counts.both:
        return None
    caught = np.cumsum(counts.anomalous, dtype=np.float64)
    area = (counts.normal * (caught - counts.anomalous / 2)).sum()
    return float(area / (caught[-1] * counts.normal.sum()))


def pixel_ap(counts: PixelCounts) -> float | None:
    """Average precision over all pixels of all images; None without both classes."""
    if not counts.both:
        return None
    caught, flagged = np.cumsum(counts.anomalous), np.cumsum(counts.anomalous + counts.normal)
    precision = np.divide(caught, flagged, out=np.zeros(len(caught)), where=flagged > 0)
    return float((counts.anomalous * precision).sum() / caught[-1])


def aupro(counts: PixelCounts, limit: float = PRO_LIMIT) -> float | None:
    """Area under the per-region overlap curve up to a pixel false-positive rate of `limit`, divided by `limit`.

    Each connected region (8 neighbours) counts the same, however large. None without both classes.
    Paper: MVTec AD, https://doi.org/10.1007/s11263-020-01400-4, section 5.
    """
    if not counts.both:
        return None
    fpr = np.append(0.0, np.cumsum(counts.normal) / counts.normal.sum())
    pro = np.append(0.0, np.cumsum(counts.overlap) / counts.regions)
    inside = fpr <= limit
    x = np.append(fpr[inside], limit)
    y = np.append(pro[inside], np.interp(limit, fpr, pro))
    return float(auc(x, y) / limit)


class _Counter:
    """Bins placed by how many scores each cell holds, filled map by map."""

    def __init__(self, in_cell: NDArray[np.int64]):
        wanted = BINS * in_cell / max(1, in_cell.sum())
        bits = np.ceil(np.log2(np.maximum(wanted, 1))).clip(0, CELL_BITS).astype(np.int64)
        sizes = np.where(in_cell > 0, 1 << bits, 0)
        self._shift = CELL_BITS - bits
        self._first = np.cumsum(sizes) - sizes
        self._bins = int(sizes.sum())
        self._anomalous = np.zeros(self._bins, dtype=np.int64)
        self._normal = np.zeros(self._bins, dtype=np.int64)
        self._overlap = np.zeros(self._bins)
        self._regions = 0

    def add(self, scores: Floats, mask: Mask) -> None:
        keys = _keys(scores)
        cell, rest = keys >> CELL_BITS, keys & ((1 << CELL_BITS) - 1)
        bins = self._first[cell] + (rest >> self._shift[cell])
        self._normal += np.bincount(bins[~mask], minlength=self._bins)
        if not mask.any():
            return
        self._anomalous += np.bincount(bins[mask], minlength=self._bins)
        label, count = ndimage.label(mask, structure=np.ones((3, 3), dtype=int))
        region = label[mask]
        self._overlap += np.bincount(bins[mask], weights=1 / np.bincount(region)[region], minlength=self._bins)
        self._regions += count

    def counts(self) -> PixelCounts:
        return PixelCounts(self._anomalous[::-1], self._normal[::-1], self._overlap[::-1], self._regions)


def _keys(scores: Floats) -> NDArray[np.int64]:
    """Integers in [0, 2^32) in the order of the float32 numbers: their bits, negative numbers counted downwards."""
    bits = np.ascontiguousarray(scores, dtype=np.float32).view(np.int32).astype(np.int64)
    return np.where(bits < 0, -(bits & 0x7FFFFFFF), bits) + (1 << 31)
