"""Anomalous rows by moving along the score of the normal rows, in closed form and without training.

The score of the normal rows plus Gaussian noise of deviation h is known exactly, ∇ log p_h(x) = (D_h(x) − x) / h² with
D_h the mean of the nearest normal rows weighted by exp(−‖x − x_i‖² / 2h²) (https://arxiv.org/abs/2206.00364, eq. 57).
What a real anomaly a would lose by denoising, r = a − D_h(a), is what makes it anomalous. A row is invented by giving
s · r, with the strength s drawn around 1, to a normal row near a. Without an anomaly r is the way that white noise,
put on some of a normal row's columns, stands off the normal rows, at a length that only `rarity` of them reach.
"""

from __future__ import annotations

from typing import Self

import numpy as np

from agentad.detectors.nearest_rows import kernel, typical_distance
from agentad.generators.base import Drawn, Floats, Floats32, Hold, Ints, Space, put_back
from agentad.generators.controls import dealt
from agentad.memory.neighbours import Neighbours

_NEAREST = 10
_REFERENCES = 5000


class NeighbourRows:
    """Normal rows that are given what makes an anomaly anomalous.

    Args:
        low: least strength s.
        high: greatest strength s.
        near: how many of the normal rows nearest to an anomaly may receive its deviation.
        rarity: share of normal rows that lie further from the others than rows invented without any anomaly.
    """

    fewest = 0

    def __init__(self, *, low: float = 0.7, high: float = 1.3, near: int = 5, rarity: float = 0.02) -> None:
        self.low, self.high = low, high
        self.near = near
        self.rarity = rarity

    def fit(self, normal: Floats, anomalous: Floats, *, seed: int = 0) -> Self:
        """Index the normal rows and denoise the anomalous ones."""
        self._space = Space.of(normal)
        chosen = np.sort(np.random.default_rng(seed).permutation(len(normal))[:_REFERENCES])
        self._chosen, self._rows = chosen, self._space.scaling.apply(normal[chosen])
        self._neighbours = Neighbours(self._rows, groups=np.arange(len(chosen)))
        distances = self._neighbours.search(self._rows, 5, leave_out=np.arange(len(chosen)))[0]
        self._h = typical_distance(distances)
        self._far = float(np.quantile(distances[:, 0][np.isfinite(distances[:, 0])], 1 - self.rarity))
        self._anomalous = self._space.scaling.apply(anomalous)
        return self

    def sample(self, n: int, *, seed: int = 0, hold: Hold | None = None) -> Drawn:
        """See `RowGenerator.sample`."""
        generator = np.random.default_rng(seed)
        if not len(self._anomalous):
            return self._without_anomalies(n, generator, hold)
        parent = dealt(n, len(self._anomalous), generator)
        base = self._receivers(parent, generator)
        away = self._anomalous - self._denoised(self._anomalous)
        strength = generator.uniform(self.low, self.high, (n, 1))
        rows = self._rows[base] + strength * away[parent]
        return Drawn(put_back(self._space.scaling.undo(rows), hold), parent, self._chosen[base])

    def _receivers(self, parent: Ints, generator: np.random.Generator) -> Ints:
        near = self._neighbours.search(self._anomalous, min(self.near, len(self._rows)))[1]
        return near[parent, generator.integers(near.shape[1], size=len(parent))]

    def _denoised(self, u: Floats32) -> Floats32:
        distances, indices = self._neighbours.search(u, min(_NEAREST, len(self._rows)))
        h = np.maximum(self._h, distances[:, :1])
        return np.asarray((kernel((distances / h).astype(np.float32), 1.0)[:, None, :] @ self._rows[indices])[:, 0])

    def _without_anomalies(self, n: int, generator: np.random.Generator, hold: Hold | None) -> Drawn:
        base = generator.integers(len(self._rows), size=n)
        d = self._rows.shape[1]
        some = generator.uniform(size=(n, d)) < generator.uniform(1 / d, 1, (n, 1))
        some[np.arange(n), generator.integers(d, size=n)] = True
        pushed = self._rows[base] + np.where(some, generator.standard_normal((n, d)), 0).astype(np.float32)
        away = pushed - self._denoised(pushed)
        length = np.maximum(np.linalg.norm(away, axis=1, keepdims=True), 1e-9)
        strength = self._far * generator.uniform(1, 1 + self.high, (n, 1))
        rows = self._rows[base] + away / length * strength
        return Drawn(put_back(self._space.scaling.undo(rows), hold), np.full(n, -1), self._chosen[base])
