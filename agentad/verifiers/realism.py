"""Whether an invented anomaly is like anything that was ever seen."""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import NDArray

from agentad.detectors.base import Floats, Ints
from agentad.detectors.judged import Judged
from agentad.detectors.pooling import top_mean
from agentad.detectors.robust import Scaling, scalings
from agentad.memory.neighbours import Neighbours
from agentad.verifiers.base import Candidates, Fault, Good
from agentad.verifiers.cells import claimed

MOST = 8_000
"""Normal patches, or rows, that are remembered."""
ASKED = 1_000
"""Of them, those that say what distances are usual."""
MOST_CELLS = 32
"""Cells of an item that are looked at."""
FARTHEST = 3
"""Cells whose mean counts."""


class Realism:
    """How near an anomaly is to the nearest real thing, be it a normal patch (or row) or one of a real anomaly.

    −(mean of the three largest distances among the cells that the mask covers), in units of the 95th percentile of what
    normal patches are apart, those of one image or group aside: −1 is as near as most normals, far below it is like
    nothing real. Without real anomalies only the distance beyond normals is left. Being too much like a normal is the
    business of `visibility`. It abstains on empty masks.
    """

    name = "realism"
    checks = "whether it is like anything real"
    catches: tuple[Fault, ...] = ("garbage",)
    good: tuple[Good, ...] = ("real", "made")
    costly = False
    _scaling: Scaling | None = None
    """Of rows."""

    def fit(self, normal: Candidates, real: Candidates, *, seed: int = 0) -> Self:
        """Remember patches, or rows in standard deviations of the normal ones."""
        rng = np.random.default_rng(seed)
        x = normal.judged.x
        groups = np.arange(len(x)) if normal.judged.group is None else normal.judged.group
        self._scaling = scalings(x)[0] if x.ndim == 2 else None
        rows = x.reshape(-1, x.shape[-1])
        chosen = np.sort(rng.permutation(len(rows))[:MOST])
        own = np.repeat(groups, len(rows) // len(x))[chosen]
        remembered = self._scaled(rows[chosen])
        asked = np.sort(rng.permutation(len(chosen))[:ASKED])
        normals = Neighbours(remembered, groups=own)
        apart = normals.search(remembered[asked], 1, leave_out=own[asked])[0]
        apart = apart[np.isfinite(apart)]
        usual = float(np.quantile(apart, 0.95)) if len(apart) else 0.0
        self._unit = usual if usual > 0 else 1.0
        defects = [self._scaled(_cells(real.judged, i)) for i in range(len(real))]
        self._references = Neighbours(np.concatenate([remembered, *defects]))
        return self

    def measure(self, items: Candidates) -> Floats:
        """(n,) −distance in the usual unit."""
        cells = [_cells(items.judged, i) for i in range(len(items))]
        counts = [len(c) for c in cells]
        values = np.full(len(items), np.nan)
        if not sum(counts):
            return values
        far = self._references.search(self._scaled(np.concatenate(cells)), 1)[0][:, 0].astype(np.float64)
        for i, own in enumerate(np.split(far, np.cumsum(counts)[:-1])):
            if len(own):
                values[i] = -top_mean(own[None], FARTHEST)[0] / self._unit
        return values

    def _scaled(self, x: Floats) -> NDArray[np.float32]:
        return np.asarray(x if self._scaling is None else self._scaling.apply(x), dtype=np.float32)


def _cells(items: Judged, i: int) -> Floats:
    """(k, c) the patches of item `i` that are claimed to be anomalous, or the row as (1, d)."""
    if items.where is None:
        return items.x[i : i + 1]
    at: Ints = claimed(items, i, MOST_CELLS)
    patches: Floats = items.x[i].reshape(-1, items.x.shape[-1])[at]
    return patches
