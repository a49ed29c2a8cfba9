"""How well scores rank anomalous items above normal ones. Labels 1 anomalous, 0 normal; higher score = more anomalous.

Every function returns None when only one class is present.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score

Floats = NDArray[np.floating[Any]]
Labels = NDArray[np.integer[Any]]


def auroc(scores: Floats, labels: Labels) -> float | None:
    """Area under the ROC curve: chance that an anomalous item scores above a normal one, ties counting half."""
    return float(roc_auc_score(labels, scores)) if _both(labels) else None


def ap(scores: Floats, labels: Labels) -> float | None:
    """Average precision: precision at each distinct score, weighted by the recall it adds."""
    return float(average_precision_score(labels, scores)) if _both(labels) else None


def f1max(scores: Floats, labels: Labels) -> float | None:
    """The best F1 any threshold reaches: an upper bound that knows the labels, not what a detector delivers."""
    if not _both(labels):
        return None
    precision, recall, _ = precision_recall_curve(labels, scores)
    total = precision + recall
    return float(np.divide(2 * precision * recall, total, out=np.zeros_like(total), where=total > 0).max())


def by_type(
    scores: Floats,
    labels: Labels,
    kinds: Sequence[str],
    metric: Callable[[Floats, Labels], float | None] = auroc,
) -> dict[str, float]:
    """`metric` of each type of anomaly against all normal items, by type; anomalies without a type are left out."""
    kind = np.asarray(kinds, dtype=np.object_)
    found = {}
    for name in sorted({k for k, label in zip(kind, labels, strict=True) if k and label == 1}):
        chosen = (labels == 0) | ((labels == 1) & (kind == name))
        value = metric(scores[chosen], labels[chosen])
        if value is not None:
            found[name] = value
    return found


def _both(labels: Labels) -> bool:
    return bool((labels == 0).any() and (labels == 1).any())
