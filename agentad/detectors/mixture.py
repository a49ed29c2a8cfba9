"""Gaussian mixtures as diffusion models: their density at any noise level is known in closed form.

With weights π_k, means μ_k and covariances C_k of the data, the data plus noise of variance σ² have the density

    p_σ(x) = Σ_k π_k N(x; μ_k, C_k + σ² I)

The mixtures are scikit-learn's. One is fitted to each fold's complement, so that a training row is judged by one that
has not seen it, and a new row by the mean over all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from agentad.detectors.base import Floats, Ints
from agentad.detectors.gaussian_mixture import Mixture, mixed

COMPONENTS = 5
ROWS_EACH = 20
"""Rows that a component needs at least; with fewer there are fewer components."""
ITERATIONS = 25


@dataclass(frozen=True)
class Mixtures:
    """Cross-fitted mixtures of rows in d columns of about unit variance, at one noise level."""

    each: tuple[Mixture, ...]
    """By fold; none was fitted to its own."""

    @classmethod
    def fit(cls, u: Floats, fold: Ints, *, noise: float, seed: int) -> Self:
        """One mixture for each of the folds (n,) of the scaled rows u (n, d), fitted to the others. `noise` is σ²."""
        return cls(tuple(_mixture(u[fold != k], noise, seed) for k in range(int(fold.max()) + 1)))

    def held_out(self, u: Floats, fold: Ints) -> NDArray[np.float64]:
        """Surprise (n,) of scaled rows u (n, d) by the mixture that was not fitted to their fold (n,)."""
        own = np.empty(len(u))
        for k, mixture in enumerate(self.each):
            own[fold == k] = mixture.judge(u[fold == k])
        return own

    def surprise(self, u: Floats) -> NDArray[np.float64]:
        """−ln p_σ of scaled rows u (m, d) in nats, mean over the folds: (m,). Higher = more anomalous."""
        return np.asarray(np.mean([mixture.judge(u) for mixture in self.each], axis=0))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """For safetensors, each name prefixed by its fold."""
        return {f"mixture{k}.{name}": a for k, mixture in enumerate(self.each) for name, a in mixture.arrays().items()}

    @classmethod
    def restore(cls, arrays: dict[str, NDArray[Any]]) -> Self | None:
        """The mixtures among `arrays`, None where there are none."""
        folds = sorted({name.partition(".")[0] for name in arrays if name.startswith("mixture")})
        each = [{n.partition(".")[2]: a for n, a in arrays.items() if n.startswith(f"{k}.")} for k in folds]
        return cls(tuple(Mixture(**own) for own in each)) if each else None


def _mixture(rows: Floats, noise: float, seed: int) -> Mixture:
    components = max(1, min(COMPONENTS, len(rows) // ROWS_EACH))
    fitted = mixed(rows, components=components, seed=seed, iterations=ITERATIONS)
    spread = np.linalg.cholesky(fitted.covariances_ + noise * np.eye(rows.shape[1]))
    return Mixture(fitted.weights_, fitted.means_, np.linalg.inv(spread).transpose(0, 2, 1))
