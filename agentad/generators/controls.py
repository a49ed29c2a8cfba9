"""Ways to invent rows that know nothing about diffusion: what a generator has to beat."""

from __future__ import annotations

from typing import Self

import numpy as np

from agentad.generators.base import Drawn, Floats, Hold, Ints, Space, put_back


class UniformRows:
    """Each column drawn evenly between the least and the greatest real value, widened by `margin` of that range."""

    fewest = 0

    def __init__(self, *, margin: float = 0.1) -> None:
        self.margin = margin

    def fit(self, normal: Floats, anomalous: Floats, *, seed: int = 0) -> Self:
        """Learn the ranges."""
        rows = np.concatenate([normal, anomalous]).astype(np.float64)
        low, high = rows.min(axis=0), rows.max(axis=0)
        room = self.margin * (high - low)
        self._low, self._high = low - room, high + room
        return self

    def sample(self, n: int, *, seed: int = 0, hold: Hold | None = None) -> Drawn:
        """See `RowGenerator.sample`."""
        rows = np.random.default_rng(seed).uniform(self._low, self._high, (n, len(self._low)))
        nothing = np.full(n, -1)
        return Drawn(put_back(rows.astype(np.float32), hold), nothing, nothing)


class GaussianRows:
    """A real anomaly plus white noise of `deviation` standard deviations of the normal rows."""

    fewest = 1

    def __init__(self, *, deviation: float = 0.3) -> None:
        self.deviation = deviation

    def fit(self, normal: Floats, anomalous: Floats, *, seed: int = 0) -> Self:
        """Learn the scales."""
        self._space = Space.of(normal)
        self._anomalous = self._space.scaling.apply(anomalous)
        return self

    def sample(self, n: int, *, seed: int = 0, hold: Hold | None = None) -> Drawn:
        """See `RowGenerator.sample`."""
        generator = np.random.default_rng(seed)
        parent = dealt(n, len(self._anomalous), generator)
        noise = generator.standard_normal((n, self._anomalous.shape[1]))
        rows = self._space.scaling.undo(self._anomalous[parent] + self.deviation * noise)
        return Drawn(put_back(rows, hold), parent, np.full(n, -1))


class SmoteRows:
    """A point between two real anomalies that are near each other (Chawla et al. 2002); Gaussian noise for one alone.

    https://arxiv.org/abs/1106.1813. A single anomaly has nobody to meet: it is jittered by `deviation` instead.
    """

    fewest = 1

    def __init__(self, *, neighbours: int = 5, deviation: float = 0.05) -> None:
        self.neighbours = neighbours
        self.deviation = deviation

    def fit(self, normal: Floats, anomalous: Floats, *, seed: int = 0) -> Self:
        """Learn the scales and who is near whom."""
        self._space = Space.of(normal)
        self._anomalous = self._space.scaling.apply(anomalous)
        apart = np.linalg.norm(self._anomalous[:, None] - self._anomalous[None], axis=2)
        np.fill_diagonal(apart, np.inf)
        self._near = np.argsort(apart, axis=1, kind="stable")[:, : min(self.neighbours, len(anomalous) - 1)]
        return self

    def sample(self, n: int, *, seed: int = 0, hold: Hold | None = None) -> Drawn:
        """See `RowGenerator.sample`."""
        generator = np.random.default_rng(seed)
        parent = dealt(n, len(self._anomalous), generator)
        rows = self._anomalous[parent].astype(np.float64)
        if self._near.shape[1]:
            other = self._near[parent, generator.integers(self._near.shape[1], size=n)]
            rows += generator.uniform(size=(n, 1)) * (self._anomalous[other] - rows)
        else:
            rows += self.deviation * generator.standard_normal(rows.shape)
        return Drawn(put_back(self._space.scaling.undo(rows), hold), parent, np.full(n, -1))


def dealt(n: int, k: int, generator: np.random.Generator) -> Ints:
    """`n` draws from k parents, as even as can be, in random order."""
    return generator.permutation(np.arange(n) % k)
