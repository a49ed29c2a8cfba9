"""Gaussian mixture with full covariances, fitted by scikit-learn's expectation maximisation.

With w, μ and Λ = L Lᵀ the weight, mean and inverse covariance of each of K components,

    score = −ln Σ w · |det L| · (2π)^(−d/2) · exp(−‖(x − μ) L‖² / 2)

in nats, the same number as −`score_samples` of scikit-learn, from arrays alone.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp
from sklearn import mixture
from sklearn.exceptions import ConvergenceWarning

from agentad.detectors.base import Floats
from agentad.detectors.cross_fitted import CrossFitted

RIDGE = 1e-3
"""Added to variances of z-scored columns, so that columns that repeat each other leave the covariance invertible."""


def mixed(z: Floats, *, components: int = 5, seed: int = 0, iterations: int = 100) -> mixture.GaussianMixture:
    """scikit-learn's mixture of the rows z (n, d), of no more components than there are rows."""
    fitted = mixture.GaussianMixture(min(components, len(z)), reg_covar=RIDGE, max_iter=iterations, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a mixture that still moves is a density all the same
        return fitted.fit(np.asarray(z, dtype=np.float64))  # squares of far values leave float32


@dataclass(frozen=True)
class Mixture:
    """K Gaussians over d columns."""

    weight: NDArray[np.float64]
    """(K,) summing to 1."""
    mean: NDArray[np.float64]
    """(K, d)"""
    root: NDArray[np.float64]
    """(K, d, d) L, triangular: the Cholesky factor of the inverse covariance."""

    def judge(self, z: Floats) -> Floats:
        """−ln p of rows z (m, d)."""
        u = np.asarray(z, dtype=np.float64)
        log = np.empty((len(u), len(self.weight)))
        for k, (weight, mean, root) in enumerate(zip(self.weight, self.mean, self.root, strict=True)):
            square = (((u - mean) @ root) ** 2).sum(axis=1)
            log[:, k] = np.log(weight) + np.log(np.diagonal(root)).sum() - square / 2
        return np.asarray(u.shape[1] / 2 * np.log(2 * np.pi) - logsumexp(log, axis=1))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """`weight`, `mean` and `root`."""
        return {"weight": self.weight, "mean": self.mean, "root": self.root}


class GaussianMixture(CrossFitted):
    """Unlikely under a mixture of Gaussians = anomalous. Encoded rows are (n, d), unscaled.

    Args:
        components: how many Gaussians; fewer where there are fewer rows.
    """

    def __init__(self, *, components: int = 5) -> None:
        self.components = components

    def settings(self) -> dict[str, Any]:
        """The constructor's parameters."""
        return {"components": self.components}

    def _learn(self, z: Floats, seed: int) -> Mixture:
        fitted = mixed(z, components=self.components, seed=seed)
        return Mixture(fitted.weights_, fitted.means_, fitted.precisions_cholesky_)

    def _restored(self, arrays: dict[str, NDArray[Any]]) -> Mixture:
        return Mixture(**arrays)
