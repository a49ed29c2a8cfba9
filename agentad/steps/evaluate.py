"""Compare the detector and its baselines on the labelled items that none of them learned from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from agentad.detectors.base import Floats
from agentad.flow import Metrics, Modality
from agentad.metrics.evaluate import evaluate as measure
from agentad.steps.score import read_scores
from agentad.steps.session import Session
from agentad.store.atomic import write_json
from agentad.tools.adapter import read_threshold
from agentad.tools.road import Indices, road

TOLD = ("auroc", "ap", "f1max", "pixel_auroc", "pixel_ap", "aupro", "false_alarm_rate", "recall")
"""Metrics that are told for each of several categories."""


def evaluate(session: Session, folder: Path) -> None:
    """`metrics.json`: one entry per method, or null where the labels cannot tell."""
    labels = session.data.items.label[session.split.test]
    # of pairs each of which has a defect, the maps can still be judged
    paired = session.profile.layout == "pairs"
    telling = bool(np.any(labels == 1) and (paired or np.any(labels == 0)))
    found = {name: _metrics(session, name) for name in session.methods} if telling else None
    write_json(folder / "metrics.json", found and {name: m.model_dump(mode="json") for name, m in found.items()})


def _metrics(session: Session, method: str) -> Metrics:
    data, split = session.data, session.split
    item, local = read_scores(session, method)
    threshold = read_threshold(session.beside().get(method, session.detector)).value

    def measured(index: Indices) -> Metrics:
        at = np.searchsorted(split.scored, index)
        return measure(
            item[at],
            data.items.label[index],
            threshold=threshold,
            kinds=[str(kind) for kind in data.items.kind[index]],
            groups=data.items.group[index],
            seed=session.plan.seed,
            **pixels(data, session.plan.modality, index, None if local is None else local[at]),
        )

    category = data.items.category
    names = () if category is None else sorted(set(category[split.test].tolist()) - {""})
    by_category = {name: _told(measured(split.test[category[split.test] == name])) for name in names}
    return measured(split.test).model_copy(update={"by_category": by_category})


def _told(found: Metrics) -> dict[str, float]:
    """The metrics that the data can tell, by name."""
    values = {name: getattr(found, name) for name in TOLD}
    return {name: value for name, value in values.items() if value is not None}


def pixels(data: Any, modality: Modality, index: Indices, local: Floats | None) -> dict[str, Any]:
    """How `metrics.evaluate` asks for the score map and the mask of the k-th item of `index` (m,).

    Nothing for items without local scores (m, h, w).
    """
    if local is None:
        return {}
    way = road(modality)
    return {
        "map_at": lambda k: way.full_map(data, int(index[k]), local[k]),
        "mask_at": lambda k: data.mask(int(index[k])),
    }
