"""A Gaussian mixture as a diffusion model: its density at any noise level is known in closed form.

With weights π_k, means μ_k and covariances C_k of the data, the data plus noise of variance σ² have the density

    p_σ(x) = Σ_k π_k N(x; μ_k, C_k + σ² I)

The mixture is scikit-learn's. One is fitted to each fold's complement, so that a training row is judged by one that has
not seen it, and a new row by the mean over all of them.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

from agentad.detectors.base import Floats, Ints

COMPONENTS = 5
ROWS_EACH = 20
"""Rows that a component needs at least; with fewer there are fewer components."""
RIDGE = 1e-3
"""Added to the variances while fitting, in standard deviations squared."""
ITERATIONS = 50


@dataclass(frozen=True)
class Mixtures:
    """Cross-fitted mixtures of rows in d columns of about unit variance, at one noise level."""

    log_weight: NDArray[np.float64]
    """(f, k) ln π, less half the log determinant of C + σ² I; minus infinity for a component that is not there."""
    mean: NDArray[np.float64]
    """(f, k, d)"""
    root: NDArray[np.float64]
    """(f, k, d, d) a matrix whose product with its transpose is the inverse of C + σ² I."""

    @classmethod
    def fit(cls, u: Floats, fold: Ints, *, noise: float, seed: int) -> Self:
        """One mixture for each of the folds (n,) of the scaled rows u (n, d), fitted to the others. `noise` is σ²."""
        fitted = [_mixture(u[fold != k], seed) for k in range(int(fold.max()) + 1)]
        most = max(len(mixture.weights_) for mixture in fitted)
        log_weight = np.full((len(fitted), most), -np.inf)
        mean = np.zeros((len(fitted), most, u.shape[1]))
        root = np.zeros((len(fitted), most, u.shape[1], u.shape[1]))
        for f, mixture in enumerate(fitted):
            here = slice(0, len(mixture.weights_))
            values, vectors = np.linalg.eigh(mixture.covariances_)
            values = np.maximum(values, 0) + noise
            log_weight[f, here] = np.log(mixture.weights_) - np.log(values).sum(axis=1) / 2
            mean[f, here], root[f, here] = mixture.means_, vectors / np.sqrt(values)[:, None, :]
        return cls(log_weight, mean, root)

    def held_out(self, u: Floats, fold: Ints) -> NDArray[np.float64]:
        """Surprise (n,) of scaled rows u (n, d) by the mixture that was not fitted to their fold (n,)."""
        own = np.empty(len(u))
        for f in range(len(self.mean)):
            own[fold == f] = self._surprise(u[fold == f], f)
        return own

    def surprise(self, u: Floats) -> NDArray[np.float64]:
        """−ln p_σ of scaled rows u (m, d), up to a constant, mean over the folds: (m,). Higher = more anomalous."""
        return np.asarray(np.mean([self._surprise(u, f) for f in range(len(self.mean))], axis=0))

    def _surprise(self, u: Floats, f: int) -> NDArray[np.float64]:
        terms = np.stack(
            [
                weight - (((u - mean) @ root) ** 2).sum(axis=1) / 2
                for weight, mean, root in zip(self.log_weight[f], self.mean[f], self.root[f], strict=True)
            ]
        )
        largest = terms.max(axis=0)
        return np.asarray(-largest - np.log(np.exp(terms - largest).sum(axis=0)))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """For safetensors."""
        return {"log_weight": self.log_weight, "mean": self.mean, "root": self.root}


def _mixture(rows: Floats, seed: int) -> Any:
    components = max(1, min(COMPONENTS, len(rows) // ROWS_EACH))
    mixture = GaussianMixture(components, reg_covar=RIDGE, max_iter=ITERATIONS, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a mixture that still moves is a density all the same
        return mixture.fit(rows)
