"""How normal items score when nobody has said which items are normal.

The scores are a mixture: a share π0 of normals and the rest anywhere above. The distribution of the normals, the
empirical null, is fitted to the bulk of all scores and extrapolated to the tail (Efron 2004,
https://doi.org/10.1198/016214504000000089, by maximum likelihood on the censored bulk; Tukey's g distribution stands
in for his Gaussian, because distances are skewed).

Notation: normals are X = m + σ (exp(g Z) - 1) / g with Z standard normal; scores above the 90 % quantile c are only
counted. It assumes that at least about 90 % of the items are normal.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import optimize
from scipy.special import ndtr, ndtri

from agentad.detectors.base import Floats

CENSOR = 0.9
"""Quantile above which scores are counted, not measured."""
SKEW_PRIOR = (0.5, 0.3)
"""Mean and standard deviation of the Gaussian prior on g, which decides where few scores speak."""
_FLAT = 1e-4
_SUMMARY = 1000


@dataclass(frozen=True)
class EmpiricalNull:
    """Distribution of the scores of normal items."""

    m: float
    sigma: float
    g: float

    def quantile_above(self, rate: float) -> float:
        """The score that a share `rate` of normals exceeds."""
        z = -float(ndtri(rate))
        return self.m + self.sigma * (math.exp(self.g * z) - 1) / self.g

    def rate_above(self, scores: Floats) -> Floats:
        """Share of normals that score at least as high as each of `scores` (m,)."""
        if self.sigma == 0:
            return np.where(np.asarray(scores) > self.m, 0.0, 1.0)
        w = 1 + self.g * (np.asarray(scores, dtype=np.float64) - self.m) / self.sigma
        return np.asarray(ndtr(-np.log(np.maximum(w, 1e-300)) / self.g))


def fit_empirical_null(scores: Floats) -> EmpiricalNull:
    """Fit to `scores` (n,), higher = more anomalous, most of them normal."""
    s = np.sort(np.asarray(scores, dtype=np.float64))
    if len(s) > _SUMMARY:
        s = np.quantile(s, (np.arange(_SUMMARY) + 0.5) / _SUMMARY)
    low, middle, c = (float(q) for q in np.quantile(s, (0.25, 0.5, CENSOR)))
    seen = s[s <= c]
    unit = (middle - low) / 0.674  # the standard deviation, were the lower half Gaussian
    if unit <= 0:
        return EmpiricalNull(float(c), 0.0, _FLAT)

    def unpack(theta: Floats) -> EmpiricalNull:
        g = float(theta[2]) if abs(theta[2]) > _FLAT else _FLAT
        return EmpiricalNull(middle + float(theta[0]) * unit, math.exp(theta[1]) * unit, g)

    def loss(theta: Floats) -> float:
        return _negative_log_posterior(unpack(theta), seen, len(s) - len(seen), c)

    start = np.array([0.0, 0.0, SKEW_PRIOR[0]])
    best = optimize.minimize(loss, start, method="Nelder-Mead", options={"xatol": 1e-3, "fatol": 1e-4})
    return unpack(best.x)


def _negative_log_posterior(null: EmpiricalNull, seen: Floats, above: int, c: float) -> float:
    w = 1 + null.g * (seen - null.m) / null.sigma
    w_end = 1 + null.g * (c - null.m) / null.sigma
    if w.min() <= 0 or w_end <= 0:
        return 1e12
    z = np.log(w) / null.g
    below = float(ndtr(math.log(w_end) / null.g))
    n = len(seen) + above
    normal_share = min(1.0, len(seen) / n / max(below, 1e-300))  # π0 at its own maximum, given the rest
    log_likelihood = (
        -0.5 * float(np.sum(z * z))
        - float(np.sum(np.log(w)))
        + len(seen) * math.log(normal_share / null.sigma)
        + above * math.log(max(1 - normal_share * below, 1e-300))
    )
    mean, deviation = SKEW_PRIOR
    return -log_likelihood + 0.5 * ((null.g - mean) / deviation) ** 2
