"""A fitted forest of scikit-learn as plain arrays, scored without it and without pickle."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from agentad.detectors.base import Floats

Tree = Any
"""A fitted tree's `tree_`, for which scikit-learn has no public type."""

_BATCH = 2048
"""Rows walked at once."""


@dataclass(frozen=True)
class Forest:
    """Binary trees, one after the other. A leaf is its own child, so that walking on from it goes nowhere."""

    root: NDArray[np.int32]
    """(trees,) first node of each tree."""
    left: NDArray[np.int32]
    """(nodes,) where a row goes whose value is at most the threshold."""
    right: NDArray[np.int32]
    """(nodes,)"""
    feature: NDArray[np.int32]
    """(nodes,) column that is compared."""
    threshold: NDArray[np.float64]
    """(nodes,)"""
    value: NDArray[np.float64]
    """(nodes,) what a row that ends there is told."""

    @classmethod
    def of(cls, fitted: Sequence[Any], value: Callable[[Tree], NDArray[np.float64]]) -> Self:
        """The fitted trees of one of scikit-learn's forests. `value`: what each node (nodes,) of a tree tells."""
        trees = [estimator.tree_ for estimator in fitted]
        counts = [tree.node_count for tree in trees]
        root = np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.int32)
        joined = {"left": [], "right": [], "feature": [], "threshold": [], "value": []}  # type: dict[str, list[Any]]
        for tree, first in zip(trees, root, strict=True):
            leaf = tree.children_left < 0
            own = np.arange(first, first + tree.node_count)
            joined["left"].append(np.where(leaf, own, tree.children_left + first))
            joined["right"].append(np.where(leaf, own, tree.children_right + first))
            joined["feature"].append(np.where(leaf, 0, tree.feature))
            joined["threshold"].append(tree.threshold)
            joined["value"].append(value(tree))
        whole = {name: np.concatenate(parts) for name, parts in joined.items()}
        index = {name: whole[name].astype(np.int32) for name in ("left", "right", "feature")}
        return cls(root=root, threshold=whole["threshold"], value=whole["value"], **index)

    def mean(self, x: Floats) -> NDArray[np.float64]:
        """Mean over the trees of the value of the leaf that each row x (n, d) ends in: (n,)."""
        rows = np.ascontiguousarray(x, dtype=np.float32)
        parts = [self._mean(rows[at : at + _BATCH]) for at in range(0, len(rows), _BATCH)]
        return np.concatenate(parts) if parts else np.zeros(0)

    def _mean(self, x: NDArray[np.float32]) -> NDArray[np.float64]:
        total = np.zeros(len(x))
        for leaves in self.leaves(x):
            total += self.value[leaves]  # tree by tree: the order of addition is scikit-learn's
        return total / len(self.root)

    def leaves(self, x: NDArray[np.float32]) -> NDArray[np.int32]:
        """(trees, n) the leaf that each row x (n, d) ends in."""
        n = len(x)
        node = np.repeat(self.root, n)
        row = np.tile(np.arange(n), len(self.root))
        moving = np.arange(len(node))
        while len(moving):
            at = node[moving]
            low = x[row[moving], self.feature[at]] <= self.threshold[at]
            following = np.where(low, self.left[at], self.right[at])
            node[moving] = following
            moving = moving[following != at]
        return node.reshape(len(self.root), n)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Everything, for safetensors."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def second_class_share(tree: Tree) -> NDArray[np.float64]:
    """(nodes,) share of the second class among what a two-class tree has learned from."""
    shares = tree.value[:, 0, :]
    return np.asarray((shares / shares.sum(axis=1, keepdims=True))[:, 1])
