"""Whether an invented anomaly is of the type it claims."""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import NDArray

from agentad.detectors.base import Floats
from agentad.detectors.judged import Judged
from agentad.detectors.robust import Scaling, scalings
from agentad.verifiers.base import Candidates, Fault, Good
from agentad.verifiers.cells import claimed

FEWEST = 2
"""Types; one alone is never the wrong one."""


class Kind:
    """Whether the nearest type of real anomalies is the claimed one.

    An item is the mean of the patches that its mask covers (or the row, in standard deviations of the normal ones), a
    type the mean of its items. With d the distance to the claimed type and e that to the nearest other one, the value
    is (e − d) / (e + d): above 0 where the claimed type is the nearest, at most 1. It abstains with fewer than two
    types, on types without a real anomaly, and on items that claim none.
    """

    name = "type"
    checks = "whether it is of the type it claims"
    catches: tuple[Fault, ...] = ("mistyped",)
    good: tuple[Good, ...] = ("real",)
    costly = False
    _scaling: Scaling | None = None

    def fit(self, normal: Candidates, real: Candidates, *, seed: int = 0) -> Self:
        """Learn where the types of real anomalies lie."""
        self._scaling = scalings(normal.judged.x)[0] if normal.judged.where is None else None
        middles = self._middles(real.judged)
        said = np.isfinite(middles).all(axis=1)
        self._names = sorted({str(kind) for kind in real.kind[said] if kind})
        self._types = {name: middles[said & (real.kind == name)].mean(axis=0) for name in self._names}
        return self

    def measure(self, items: Candidates) -> Floats:
        """(n,) −1 to 1."""
        values = np.full(len(items), np.nan)
        if len(self._names) < FEWEST or not len(items):
            return values
        middles = self._middles(items.judged)
        types = np.stack([self._types[name] for name in self._names])
        apart = np.linalg.norm(middles[:, None] - types, axis=2)  # (n, types)
        for i, kind in enumerate(items.kind):
            if kind in self._types and np.isfinite(apart[i]).all():
                own = self._names.index(kind)
                d, e = apart[i, own], np.delete(apart[i], own).min()
                values[i] = (e - d) / max(e + d, 1e-12)
        return values

    def _middles(self, items: Judged) -> NDArray[np.float64]:
        """(n, c) each item as one vector; NaN where its mask is empty."""
        if items.where is None:
            rows = items.x if self._scaling is None else self._scaling.apply(items.x)
            return np.asarray(rows, dtype=np.float64)
        found = np.full((len(items), items.x.shape[-1]), np.nan)
        for i in range(len(items)):
            cells = claimed(items, i)
            if len(cells):
                patches = items.x[i].reshape(-1, items.x.shape[-1])
                found[i] = patches[cells].mean(axis=0, dtype=np.float64)
        return found
