"""Local outlier factor of Breunig et al. 2000 (https://doi.org/10.1145/342009.335388), exact search with FAISS.

With N(x) the k nearest reference rows of x and κ(o) the distance from reference o to its own k-th nearest other,

    reach(x, o) = max(κ(o), ‖x − o‖)
    density(x)  = 1 / (mean over o in N(x) of reach(x, o))
    score       = mean over o in N(x) of density(o) / density(x)

About 1 = as dense as its neighbours. To single precision the same number as −`score_samples` of scikit-learn's
`LocalOutlierFactor(novelty=True)`. Where distances tie, which of the equally near rows count may differ.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from agentad.detectors.base import Floats
from agentad.detectors.cross_fitted import CrossFitted
from agentad.memory.neighbours import Neighbours

_LEAST_REACH = 1e-10
"""Added to mean reaches, as scikit-learn does: among copies a density stays finite."""


class LocalDensities:
    """Reference rows (n, d), scaled, and how dense it is at each."""

    def __init__(self, rows: Floats, kth: Floats, density: Floats, neighbours: int) -> None:
        self._searched = Neighbours(rows, groups=np.arange(len(rows)))
        self._kth = kth
        self._density = density
        self._k = neighbours

    @classmethod
    def learn(cls, z: Floats, neighbours: int) -> Self:
        """Of the rows z (n, d), by `neighbours` or all other rows where there are fewer."""
        k = min(neighbours, len(z) - 1)
        self = cls(z, np.zeros(len(z)), np.zeros(len(z)), k)
        distances, indices = self._searched.search(z, k, leave_out=np.arange(len(z)))
        self._kth = distances[:, -1].astype(np.float64)
        self._density = self._density_at(distances, indices)
        return self

    def judge(self, z: Floats) -> Floats:
        """Local outlier factors (m,) of new rows z (m, d)."""
        distances, indices = self._searched.search(z, self._k)
        return np.asarray(self._density[indices].mean(axis=1) / self._density_at(distances, indices))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The references, and at each the distance to its k-th neighbour and the density."""
        return {"rows": self._searched.references, "kth": self._kth, "density": self._density}

    def _density_at(self, distances: Floats, indices: NDArray[np.int64]) -> NDArray[np.float64]:
        reach = np.maximum(distances, self._kth[indices])
        return np.asarray(1 / (reach.mean(axis=1) + _LEAST_REACH))


class LocalOutlierFactor(CrossFitted):
    """Sparser than its neighbours = anomalous. Encoded rows are (n, d), unscaled.

    Args:
        neighbours: k; all other rows where there are fewer.
    """

    def __init__(self, *, neighbours: int = 20) -> None:
        self.neighbours = neighbours

    def settings(self) -> dict[str, Any]:
        """The constructor's parameters."""
        return {"neighbours": self.neighbours}

    def _learn(self, z: Floats, seed: int) -> LocalDensities:
        return LocalDensities.learn(z, self.neighbours)

    def _restored(self, arrays: dict[str, NDArray[Any]]) -> LocalDensities:
        k = min(self.neighbours, len(arrays["rows"]) - 1)
        return LocalDensities(arrays["rows"], arrays["kth"], arrays["density"], k)
