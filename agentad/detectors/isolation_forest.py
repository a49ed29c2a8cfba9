"""Isolation forest of Liu et al. 2008 (https://doi.org/10.1109/ICDM.2008.17), grown by scikit-learn.

Random splits part a lone row from the others early. With ψ rows a tree, h the mean over the trees of a row's depth plus
the c(m) further splits that the m rows in its leaf would take, and c the mean depth of an unsuccessful search,

    score = 2^(−h / c(ψ))        c(m) = 2 (ln(m − 1) + γ) − 2 (m − 1) / m,  c(2) = 1,  c(1) = 0

in (0, 1], the same number as −`score_samples` of scikit-learn, from arrays alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import ensemble

from agentad.detectors.base import Floats
from agentad.detectors.cross_fitted import CrossFitted
from agentad.detectors.forest import Forest, Tree


def grown(z: Floats, *, trees: int = 100, sample: int = 256, seed: int = 0) -> ensemble.IsolationForest:
    """scikit-learn's forest of the rows z (n, d), each tree grown on `sample` of them, or on all if they are fewer."""
    return ensemble.IsolationForest(n_estimators=trees, max_samples=min(sample, len(z)), random_state=seed).fit(z)


@dataclass(frozen=True)
class IsolationTrees:
    """Trees whose leaves hold depths."""

    forest: Forest
    usual: float
    """c(ψ)"""

    def judge(self, z: Floats) -> Floats:
        """2^(−h / c(ψ)) of rows z (m, d); 1/2 where trees grown on one row say nothing."""
        depth = self.forest.mean(z)
        return np.asarray(2.0 ** -(depth / self.usual if self.usual else np.ones(len(depth))))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The forest's, and c(ψ)."""
        return self.forest.arrays() | {"usual": np.array([self.usual])}


class IsolationForest(CrossFitted):
    """Shallow in random trees = anomalous. Encoded rows are (n, d), unscaled.

    Args:
        trees: how many.
        sample: rows that each tree is grown on, at most.
    """

    def __init__(self, *, trees: int = 100, sample: int = 256) -> None:
        self.trees = trees
        self.sample = sample

    def settings(self) -> dict[str, Any]:
        """The constructor's parameters."""
        return {"trees": self.trees, "sample": self.sample}

    def _learn(self, z: Floats, seed: int) -> IsolationTrees:
        fitted = grown(z, trees=self.trees, sample=self.sample, seed=seed)
        usual = _search_depth(np.array([fitted.max_samples_]))
        return IsolationTrees(Forest.of(fitted.estimators_, _depths), float(usual[0]))

    def _restored(self, arrays: dict[str, NDArray[Any]]) -> IsolationTrees:
        usual = float(arrays.pop("usual")[0])
        return IsolationTrees(Forest(**arrays), usual)


def _depths(tree: Tree) -> NDArray[np.float64]:
    """(nodes,) splits above each node, and those that the rows that ended there would take further."""
    return np.asarray(tree.compute_node_depths() - 1 + _search_depth(tree.n_node_samples))


def _search_depth(rows: NDArray[Any]) -> NDArray[np.float64]:
    """The mean depth c of an unsuccessful search among each count of rows."""
    m = np.maximum(np.asarray(rows, dtype=np.float64), 3)
    many = 2 * (np.log(m - 1) + np.euler_gamma) - 2 * (m - 1) / m
    return np.select([rows <= 1, rows == 2], [0.0, 1.0], many)
