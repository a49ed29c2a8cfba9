"""Whether an invented row is a real one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from agentad.detectors.nearest_rows import typical_distance
from agentad.detectors.robust import scalings
from agentad.generators.base import Floats, Ints
from agentad.memory.neighbours import Neighbours

LEAST_RATIO = 0.01
"""An invented row nearer to a real one than this part of the usual distance between normal rows is a copy of it."""


class RealRows:
    """The real rows, normal (n, d) and anomalous (k, d), that nothing invented may repeat."""

    def __init__(self, normal: Floats, anomalous: Floats) -> None:
        self._scaling = scalings(normal)[0]
        rows = self._scaling.apply(np.concatenate([normal, anomalous]))
        self._neighbours = Neighbours(rows, groups=np.arange(len(rows)))
        distances = self._neighbours.search(rows[: len(normal)], 1, leave_out=np.arange(len(normal)))[0]
        self._typical = typical_distance(distances[np.isfinite(distances[:, 0])])

    def nearest(self, rows: Floats) -> tuple[NDArray[np.float64], Ints]:
        """Distance (m,) of rows (m, d) to the nearest real row, as a multiple of the usual one, and which it is."""
        distances, indices = self._neighbours.search(self._scaling.apply(rows), 1)
        return distances[:, 0].astype(np.float64) / self._typical, indices[:, 0]
