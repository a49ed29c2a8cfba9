"""Whether the detector's own model of normal sees anything where an anomaly is claimed."""

from __future__ import annotations

from typing import Self

import numpy as np

from agentad.detectors.base import Floats
from agentad.detectors.pooling import top_mean
from agentad.detectors.robust import centre_and_spread
from agentad.verifiers.base import Candidates, Fault, Good
from agentad.verifiers.cells import touched

HIGHEST = 3
"""Cells whose mean counts."""
MOST_NORMALS = 500


class Visibility:
    """How far the claimed place stands out, beside the same place of normal images; or how far a row does.

    Images: mean of the three highest local scores among the cells that the mask touches, in units in which that mean
    over the same cells of normal images has median 0 and 95th percentile 1. So neither a large mask nor a busy place
    looks anomalous by itself. Rows: their score, with median 0 and 95th percentile 1 over normal rows. Higher = easier
    to see. It abstains on empty masks. It is not tried on real anomalies with a mask elsewhere: what surrounds them
    may be anomalous too, and the cut would ask for more than being seen.
    """

    name = "visibility"
    checks = "whether anything can be seen"
    catches: tuple[Fault, ...] = ("invisible", "mismatched")
    good: tuple[Good, ...] = ("real", "made")
    costly = False

    def fit(self, normal: Candidates, real: Candidates, *, seed: int = 0) -> Self:
        """Remember the scores of at most `MOST_NORMALS` normal images, or of all normal rows."""
        scores = normal.judged.scores
        if scores.local is None or normal.judged.where is None:
            self._usual = np.asarray(scores.item)[:, None]
            return self
        chosen = np.random.default_rng(seed).permutation(len(normal))[:MOST_NORMALS]
        self._usual = scores.local[np.sort(chosen)].reshape(len(chosen), -1)
        return self

    def measure(self, items: Candidates) -> Floats:
        """(n,) 1 = the 95th percentile of normals."""
        scores = items.judged.scores
        if items.judged.where is None or scores.local is None:
            centre, spread = centre_and_spread(self._usual)
            return np.asarray((scores.item - centre) / spread, dtype=np.float64)
        local = scores.local.reshape(len(items), -1)
        values = np.full(len(items), np.nan)
        for i in range(len(items)):
            cells = touched(items.judged, i)
            if len(cells):
                centre, spread = centre_and_spread(top_mean(self._usual[:, cells], HIGHEST)[:, None])
                values[i] = (top_mean(local[i : i + 1, cells], HIGHEST)[0] - centre[0]) / spread[0]
        return values
