"""A head that learns from a few labelled anomalies, real and invented, on top of an unsupervised table detector.

Trees look at a row and at what denoising takes from it, x and x − D(x) side by side, both in standard deviations of the
normal rows, so that "far from what was expected in this column" is one split away. Normals weigh as much as all
anomalies together; of the anomalies' half the real ones weigh as much as all invented ones. The trees are extremely
randomised (Geurts et al. 2006, https://doi.org/10.1007/s10994-006-6226-1), each grown on a bootstrap sample, so that
a normal row is judged by the trees that have not seen it. With p the trees' mean share of anomalies,

    score = rarity of the unsupervised score + trust · p / q99 p

where the rarity is that of `agentad.detectors.tails` and q99 a quantile, both over the normal rows, held out.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import ExtraTreesClassifier

from agentad.detectors.base import Floats, Scores, State
from agentad.detectors.forest import Forest, second_class_share
from agentad.detectors.judged import Judged
from agentad.detectors.robust import Scaling, scalings
from agentad.detectors.tails import Tails
from agentad.errors import InputError

_LEAST_SHARE = 1e-3
"""A q99 below it, as where every normal row is plain, says nothing about scale."""


class FewLabelHead:
    """Ranks rows by few labels and an unsupervised score together. Higher = more anomalous.

    Args:
        trees: how many.
        leaf: least rows in a leaf.
        trust: weight of the trees beside the unsupervised score.
    """

    held_out: Scores
    """After `fit`: scores of the normal rows, each by the trees that have not seen it."""

    def __init__(self, *, trees: int = 200, leaf: int = 1, trust: float = 12.0) -> None:
        self.trees = trees
        self.leaf = leaf
        self.trust = trust

    def fit(self, normal: Judged, real: Judged, invented: Judged | None = None, *, seed: int = 0) -> Self:
        """Learn from normal rows with their held-out scores, real anomalies, and perhaps invented ones.

        Raises:
            InputError: no anomaly at all, no normal row, or scores without expected rows.
        """
        invented = invented or Judged(normal.x[:0], normal.scores.take(np.arange(0)))
        counts = [len(part.x) for part in (normal, real, invented)]
        if not counts[0] or not counts[1] + counts[2]:
            raise InputError(f"a head learns from normal rows and anomalies, got {counts[0]} and {sum(counts[1:])}")
        self._scaling = scalings(normal.x)[0]
        x = np.concatenate([self._features(part) for part in (normal, real, invented) if len(part.x)])
        y = np.repeat([0, 1], [counts[0], counts[1] + counts[2]])
        forest = ExtraTreesClassifier(
            self.trees,
            min_samples_leaf=self.leaf,
            max_features=0.5,
            bootstrap=True,
            random_state=seed,
        ).fit(x, y, sample_weight=_weights(*counts))
        self._forest = Forest.of(forest.estimators_, second_class_share)
        share = _out_of_bag(self._forest, forest, x, counts[0])
        base = normal.scores.item[:, None]
        self._tails = Tails.of(base)
        self._usual = max(float(np.quantile(share, 0.99)), _LEAST_SHARE)
        self.held_out = Scores(self._fused(base, share, included=True))
        return self

    def score(self, rows: Judged) -> Scores:
        """Scores (n,) of rows; the detector's contributions and expected rows stay as they are."""
        item = self._fused(rows.scores.item[:, None], self._forest.mean(self._features(rows)), included=False)
        return Scores(item, rows.scores.local, rows.scores.expected)

    def state(self) -> State:
        """The trees as arrays, and the scales."""
        settings = {"trees": self.trees, "leaf": self.leaf, "trust": self.trust}
        scaling = {"centre": self._scaling.centre, "scale": self._scaling.scale}
        arrays = {**scaling, "tails": self._tails.usual, "usual": np.array([self._usual])}
        return State(arrays | {f"forest.{name}": array for name, array in self._forest.arrays().items()}, settings)

    @classmethod
    def restore(cls, state: State) -> Self:
        """The head that `state` came from, without `held_out`."""
        a = state.arrays
        head = cls(**state.settings)
        head._scaling = Scaling(a["centre"], a["scale"])
        head._tails, head._usual = Tails(a["tails"]), float(a["usual"][0])
        head._forest = Forest(**{name.removeprefix("forest."): a[name] for name in a if name.startswith("forest.")})
        return head

    def _features(self, rows: Judged) -> NDArray[np.float32]:
        """(n, 2 d): the row and its residual."""
        if rows.scores.expected is None:
            raise InputError("the unsupervised detector names no expected rows; use empirical-denoiser")
        u = self._scaling.apply(rows.x)
        return np.concatenate([u, u - self._scaling.apply(rows.scores.expected)], axis=1)

    def _fused(self, base: Floats, share: Floats, *, included: bool) -> NDArray[np.float64]:
        rarity = self._tails.rarity(base, included=np.full(len(base), included))[:, 0]
        return np.asarray(rarity + self.trust * share / self._usual)


def _weights(normal: int, real: int, invented: int) -> NDArray[np.float64]:
    """(n,) normal rows weigh 1 each; anomalies as much together, half of it on the real ones where there are both."""
    halves = [0.5 * normal if real and invented else float(normal)] * 2
    each = [half / max(count, 1) for half, count in zip(halves, (real, invented), strict=True)]
    return np.repeat([1.0, *each], [normal, real, invented])


def _out_of_bag(forest: Forest, fitted: Any, x: NDArray[np.float32], n: int) -> NDArray[np.float64]:
    """(n,) mean share of anomalies over the trees whose bootstrap sample lacks the row, for the first `n` rows."""
    total, count = np.zeros(n), np.zeros(n)
    for drawn, leaves in zip(fitted.estimators_samples_, forest.leaves(x[:n]), strict=True):
        unseen = np.bincount(drawn, minlength=len(x))[:n] == 0
        total += np.where(unseen, forest.value[leaves], 0)
        count += unseen
    return np.asarray(total / np.maximum(count, 1))
