"""A Gaussian fitted to the rows nearest to it, so that anomalies among the rows do not bend it.

Starting with the share `KEEP` of the rows that another robust score ranks lowest, the Gaussian N(m, S) of the kept rows
is taken and the share nearest to it is kept anew, three times: the concentration steps of FAST-MCD (Rousseeuw and Van
Driessen 1999, https://doi.org/10.1080/00401706.1999.10485670) from one good start. Data like the kept rows, with noise
of variance σ² added, have the density N(m, S + σ² I), and

    a = √((x − m)ᵀ (S + σ² I)⁻¹ (x − m))

is the length of its score ∇ log p(x) in the directions and units in which the kept rows vary.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from agentad.detectors.base import Floats

KEEP = 0.7
"""Share of the rows taken to be normal."""
NOISE = 0.01
"""σ², in units of the columns."""
RIDGE = 1e-3
"""Added to the variances, for columns that repeat each other."""
FAR = 30.0
"""Units from the middle at which a value is cut."""
_STEPS = 3


@dataclass(frozen=True)
class TrimmedGaussian:
    """The Gaussian of most rows."""

    mean: NDArray[np.float64]
    """(d,)"""
    root: NDArray[np.float64]
    """(d, d) a matrix whose product with its transpose is the inverse of S + σ² I."""

    @classmethod
    def fit(cls, u: Floats, away: Floats) -> Self:
        """Learn from rows u (n, d) in units of a robust spread, first from those with the lowest scores `away` (n,)."""
        u = np.clip(u, -FAR, FAR).astype(np.float64)
        for _ in range(_STEPS):
            kept = u[np.argsort(away, kind="stable")[: math.ceil(KEEP * len(u))]]
            mean = kept.mean(axis=0)
            centred = kept - mean
            covariance = centred.T @ centred / len(kept)
            values, vectors = np.linalg.eigh(covariance)
            self = cls(mean, vectors / np.sqrt(np.maximum(values, 0) + RIDGE + NOISE))
            away = self.lengths(u)
        return self

    def lengths(self, u: Floats) -> NDArray[np.float64]:
        """The length a (m,) of each row u (m, d). Higher = more anomalous."""
        return np.asarray(np.linalg.norm((np.clip(u, -FAR, FAR) - self.mean) @ self.root, axis=1))
