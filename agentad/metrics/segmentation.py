"""How well local scores point at the anomalous pixels: pixel AUROC, pixel AP and AUPRO. Higher = more anomalous.

All three are read off counts of pixels per bin of score (`agentad.metrics.pixels` makes them). Scores of one bin count
as ties, which moves the AUROC by at most `PixelCounts.tie_error`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Mask = NDArray[np.bool_]

PRO_LIMIT = 0.3
"""Highest pixel false-positive rate that AUPRO looks at unless told otherwise."""


@dataclass(frozen=True)
class PixelCounts:
    """Pixels per bin of score, highest score first, each (..., bins): one row a draw where there are several."""

    anomalous: NDArray[Any]
    normal: NDArray[Any]
    overlap: NDArray[Any]
    """Share of its ground-truth region that each pixel makes up, summed."""
    regions: Any
    """(...) number of ground-truth regions."""

    @property
    def both(self) -> bool:
        """Whether there are pixels of both classes."""
        return bool(self.anomalous.any() and self.normal.any())

    @property
    def tie_error(self) -> float:
        """How far binning can have moved the pixel AUROC."""
        pairs = float(self.anomalous.sum()) * float(self.normal.sum())
        return float(self.anomalous @ self.normal.astype(np.float64)) / (2 * pairs) if pairs else 0.0


def pixel_auroc(counts: PixelCounts) -> float | None:
    """Area under the ROC curve over all pixels of all images; None without both classes."""
    return float(areas(counts)) if counts.both else None


def pixel_ap(counts: PixelCounts) -> float | None:
    """Average precision over all pixels of all images; None without both classes."""
    return float(precisions(counts)) if counts.both else None


def aupro(counts: PixelCounts, limit: float = PRO_LIMIT) -> float | None:
    """Area under the per-region overlap curve up to a pixel false-positive rate of `limit`, divided by `limit`.

    Each connected region (8 neighbours) counts the same, however large. None without both classes.
    Paper: MVTec AD, https://doi.org/10.1007/s11263-020-01400-4, section 5.
    """
    return float(overlaps(counts, limit)) if counts.both else None


def areas(counts: PixelCounts) -> Floats:
    """`pixel_auroc` of each row of counts (...); NaN without both classes."""
    caught = np.cumsum(counts.anomalous, axis=-1, dtype=np.float64)
    won = (counts.normal * (caught - counts.anomalous / 2)).sum(axis=-1)
    return _divided(won, caught[..., -1] * counts.normal.sum(axis=-1, dtype=np.float64))


def precisions(counts: PixelCounts) -> Floats:
    """`pixel_ap` of each row of counts (...); NaN without both classes."""
    caught = np.cumsum(counts.anomalous, axis=-1, dtype=np.float64)
    flagged = caught + np.cumsum(counts.normal, axis=-1, dtype=np.float64)
    precision = np.divide(caught, flagged, out=np.zeros_like(caught), where=flagged > 0)
    area = _divided((counts.anomalous * precision).sum(axis=-1), caught[..., -1])
    return np.where(counts.normal.any(axis=-1), area, np.nan)


def overlaps(counts: PixelCounts, limit: float = PRO_LIMIT) -> Floats:
    """`aupro` of each row of counts (...); NaN without both classes."""
    false = _from_zero(np.cumsum(counts.normal, axis=-1, dtype=np.float64))
    found = _from_zero(np.cumsum(counts.overlap, axis=-1, dtype=np.float64))
    rate = _divided(false, false[..., -1:])
    overlap = _divided(found, np.asarray(counts.regions, np.float64)[..., None])
    # trapezoids between the points of the curve, the last one cut off at the limit
    start, stop = rate[..., :-1], np.minimum(rate[..., 1:], limit)
    width = np.maximum(stop - start, 0)
    full = np.diff(rate, axis=-1)
    slope = np.divide(np.diff(overlap, axis=-1), full, out=np.zeros_like(full), where=full > 0)
    area: Floats = (width * (overlap[..., :-1] + slope * width / 2)).sum(axis=-1) / limit
    return area


def _from_zero(curve: Floats) -> Floats:
    return np.concatenate([np.zeros_like(curve[..., :1]), curve], axis=-1)


def _divided(a: Floats, b: Floats) -> Floats:
    """The quotient, NaN where `b` is 0."""
    out: Floats = np.full(np.broadcast_shapes(np.shape(a), np.shape(b)), np.nan)
    np.divide(a, b, out=out, where=np.asarray(b) != 0)
    return out
