"""Counting the pixels of any number of score maps in bounded memory: per bin of score, per type of anomaly, per image.

Maps are visited one at a time and counted into about `BINS` fine bins. The order of float32 numbers is cut into cells
of 2^16 numbers, and each cell into bins in proportion to the scores it holds: bins are narrow where scores are many,
wherever that is, and outliers cost nothing. Where every distinct score has its own bin, as in small sets, metrics are
exact; otherwise scores of one bin count as ties.

For intervals, each image is counted again into `COARSE` bins, whose edges are quantiles of a sample of the anomalous
and of the normal pixels. Metrics over these differ from the fine ones by a few thousandths; `metrics.intervals` moves
each interval by the difference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from agentad.errors import AgentadError
from agentad.metrics.segmentation import Floats, Mask, PixelCounts

BINS = 1 << 20
"""Fine bins aimed at; rounding to powers of two takes up to twice as many."""
MOST_BINS = 1 << 23
"""Fine bins of all types of anomaly together: of many types each gets fewer."""
CELL_BITS = 16
CELLS = 1 << (32 - CELL_BITS)
COARSE = 1024
MOST_COARSE = 1 << 23
"""Coarse bins of all images together: of very many images each gets fewer, down to `FEWEST_COARSE`."""
FEWEST_COARSE = 64
SAMPLE = 1 << 20
"""Pixels of each class, of all images together, that the coarse edges are quantiles of."""

MapAt = Callable[[int], Floats]
MaskAt = Callable[[int], Mask | None]


@dataclass(frozen=True)
class ImageCounts:
    """Pixels per coarse bin of each of n images, highest score first, each (n, bins) float32.

    All zero for images that are left out.
    """

    anomalous: NDArray[np.float32]
    normal: NDArray[np.float32]
    overlap: NDArray[np.float32]
    """Share of its ground-truth region that each pixel makes up, summed."""
    regions: NDArray[np.float32]
    """(n,)"""

    def drawn(self, weights: Floats, chosen: NDArray[np.bool_]) -> PixelCounts:
        """The counts (draws, bins) of the `chosen` (n,) images, each as often as its `weights` (draws, n) say."""
        w = weights[:, chosen].astype(np.float32)
        anomalous, normal, overlap = (w @ part[chosen] for part in (self.anomalous, self.normal, self.overlap))
        return PixelCounts(anomalous, normal, overlap, w @ self.regions[chosen])


@dataclass(frozen=True)
class Tally:
    """The pixels of n images, counted."""

    whole: PixelCounts
    by_type: dict[str, PixelCounts]
    """Of each type's images and all normal ones."""
    images: ImageCounts
    kind: NDArray[np.object_]
    """(n,) type of each image: None for normal ones, empty for anomalies without a type."""

    def coarse(self, name: str = "") -> PixelCounts:
        """What the coarse bins (bins,) hold of a type's images and all normal ones; of all images without a `name`."""
        chosen = np.array([not name or k is None or k == name for k in self.kind], dtype=bool)
        counts = self.images.drawn(np.ones((1, len(chosen))), chosen)
        return PixelCounts(counts.anomalous[0], counts.normal[0], counts.overlap[0], counts.regions[0])


def count_pixels(n: int, map_at: MapAt, mask_at: MaskAt) -> PixelCounts:
    """Visit n maps (H, W) with their masks (H, W) twice: to place the bins, then to count.

    Images whose mask is None are left out. Raises AgentadError for a map that is not finite or not its mask's shape.
    """
    return tally(n, map_at, mask_at).whole


def tally(n: int, map_at: MapAt, mask_at: MaskAt, kinds: Sequence[str | None] | None = None) -> Tally:
    """As `count_pixels`, with counts for each type of anomaly and for each image.

    `kinds` (n,) holds the type of each anomalous image, empty where it has none, and None for normal images.
    """
    kind = np.array([None] * n if kinds is None else list(kinds), dtype=np.object_)
    names = sorted({name for name in kind if name})
    in_cell, edges = _look(n, map_at, mask_at)
    fine = _Fine(in_cell, min(BINS, MOST_BINS // (len(names) + 2)))
    coarse = _coarse(fine, edges)
    bins = int(coarse[0]) + 1  # the lowest fine bin is in the last coarse one
    normal = _Counter(fine.bins)
    counters: dict[str | None, _Counter] = {None: normal}
    images = _empty(n, bins)
    for i, scores, mask in _visit(n, map_at, mask_at):
        if kind[i] not in counters:
            counters[kind[i]] = _Counter(fine.bins)
        share, regions = _shares(mask)
        placed = fine.place(scores)
        counters[kind[i]].add(placed, mask, share, regions)
        own = coarse[placed]
        images.normal[i] = np.bincount(own[~mask], minlength=bins)
        images.anomalous[i] = np.bincount(own[mask], minlength=bins)
        images.overlap[i] = np.bincount(own[mask], weights=share, minlength=bins)
        images.regions[i] = regions
    by_type = {name: _sum([normal, counters[name]]) for name in names if name in counters}
    return Tally(_sum(list(counters.values())), by_type, images, kind)


def _visit(n: int, map_at: MapAt, mask_at: MaskAt) -> Iterator[tuple[int, Floats, Mask]]:
    for i in range(n):
        mask = mask_at(i)
        if mask is None:
            continue
        scores = map_at(i)
        if scores.shape != mask.shape:
            raise AgentadError(f"score map {i} is {scores.shape}, its mask {mask.shape}")
        yield i, scores, mask


def _look(n: int, map_at: MapAt, mask_at: MaskAt) -> tuple[NDArray[np.int64], Floats]:
    """The first visit: scores per cell (CELLS,), and the edges between coarse bins, rising."""
    in_cell = np.zeros(CELLS, dtype=np.int64)
    samples: tuple[list[Floats], list[Floats]] = ([], [])
    most = max(16, SAMPLE // max(n, 1))
    for i, scores, mask in _visit(n, map_at, mask_at):
        if not np.isfinite(scores).all():
            raise AgentadError(f"score map {i} holds values that are not finite")
        in_cell += np.bincount(_keys(scores).ravel() >> CELL_BITS, minlength=CELLS)
        for sample, pixels in zip(samples, (scores[~mask], scores[mask]), strict=True):
            sample.append(pixels[:: max(1, -(-len(pixels) // most))])
    bins = int(np.clip(MOST_COARSE // max(n, 1), FEWEST_COARSE, COARSE))
    return in_cell, _edges([np.concatenate(s) for s in samples if s], bins)


def _edges(samples: Sequence[Floats], bins: int) -> Floats:
    filled = [s for s in samples if len(s)]
    if not filled:
        return np.zeros(0)
    inner = np.arange(1, bins // len(filled) + 1) / (bins // len(filled) + 1)
    return np.unique(np.concatenate([np.quantile(s, inner) for s in filled]).astype(filled[0].dtype))


def _coarse(fine: _Fine, edges: Floats) -> NDArray[np.int64]:
    """The coarse bin, highest score first, of each fine one, lowest score first."""
    starts = np.unique(fine.place(edges))
    starts = starts[starts > 0]
    return len(starts) - np.searchsorted(starts, np.arange(max(fine.bins, 1)), side="right")


def _shares(mask: Mask) -> tuple[Floats, int]:
    """Of each marked pixel, in the order of `scores[mask]`, the share of its region; and the number of regions."""
    if not mask.any():
        return np.zeros(0), 0
    label, count = ndimage.label(mask, structure=np.ones((3, 3), dtype=int))
    region = label[mask]
    return 1 / np.bincount(region)[region], int(count)


def _empty(n: int, bins: int) -> ImageCounts:
    anomalous, normal, overlap = (np.zeros((n, bins), np.float32) for _ in range(3))
    return ImageCounts(anomalous, normal, overlap, np.zeros(n, np.float32))


class _Fine:
    """Bins placed by how many scores each cell holds."""

    def __init__(self, in_cell: NDArray[np.int64], aim: int):
        wanted = aim * in_cell / max(1, in_cell.sum())
        bits = np.ceil(np.log2(np.maximum(wanted, 1))).clip(0, CELL_BITS).astype(np.int64)
        sizes = np.where(in_cell > 0, 1 << bits, 0)
        self._shift = CELL_BITS - bits
        self._first = np.cumsum(sizes) - sizes
        self.bins = int(sizes.sum())

    def place(self, scores: Floats) -> NDArray[np.int64]:
        """The bin of each score, rising with it."""
        keys = _keys(scores)
        cell, rest = keys >> CELL_BITS, keys & ((1 << CELL_BITS) - 1)
        placed: NDArray[np.int64] = self._first[cell] + (rest >> self._shift[cell])
        return placed


class _Counter:
    """Fine bins of one class of images, filled map by map."""

    def __init__(self, bins: int):
        self.normal = np.zeros(bins, dtype=np.int64)
        self.anomalous = np.zeros(bins, dtype=np.int64)
        self.overlap = np.zeros(bins)
        self.regions = 0

    def add(self, placed: NDArray[np.int64], mask: Mask, share: Floats, regions: int) -> None:
        np.add.at(self.normal, placed[~mask], 1)
        if regions:
            inside = placed[mask]
            np.add.at(self.anomalous, inside, 1)
            np.add.at(self.overlap, inside, share)
            self.regions += regions


def _sum(counters: Sequence[_Counter]) -> PixelCounts:
    """The counts of several classes together, highest score first."""
    names = ("anomalous", "normal", "overlap")
    anomalous, normal, overlap = (sum(getattr(c, name) for c in counters)[::-1] for name in names)
    return PixelCounts(anomalous, normal, overlap, sum(c.regions for c in counters))


def _keys(scores: Floats) -> NDArray[np.int64]:
    """Integers in [0, 2^32) in the order of the float32 numbers: their bits, negative numbers counted downwards."""
    bits = np.ascontiguousarray(scores, dtype=np.float32).view(np.int32).astype(np.int64)
    return np.where(bits < 0, -(bits & 0x7FFFFFFF), bits) + (1 << 31)
