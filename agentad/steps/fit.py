"""Fit and calibrate the planned detector and its baselines on the same items, encoded for each as it needs them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentad.detectors.base import Scores
from agentad.flow import Step
from agentad.steps.session import Session
from agentad.store.arrays import load_state, save_state
from agentad.tools import fitted as tool
from agentad.tools.road import Indices, road


def fit(session: Session, folder: Path) -> None:
    """`detector/`, `baselines/NAME/`, and in `held_out/NAME/` the scores of the training items the run has to score."""
    plan, split = session.plan, session.split
    chosen = [plan.detector, *plan.baselines]
    seen: Step | None = None
    for done, step in enumerate(chosen):
        if seen != tool.seen_by(step, plan):
            seen = tool.seen_by(step, plan)
            own = plan.model_copy(update={"encoder": seen})
            encoder, sample, x = tool.encode_sample(own, session.data, split.train, session.progress)
            marked = road(plan.modality).defects(session.data, sample, x.shape[1:3])
        session.progress("fitting", done, len(chosen))
        copies = tool.encode_copies(plan, step, encoder, session.data, sample)
        items = session.data.items.take(sample)
        made = tool.fit(plan, step, encoder, x, items, defects=marked, copies=copies)
        if step is plan.detector:
            tool.save(made, folder / "detector")
        else:
            shared = seen == tool.seen_by(plan.detector, plan)
            beside = folder / "detector" if shared else None
            tool.save(made, folder / "baselines" / step.tool, beside=beside)
        wanted = np.isin(sample, split.scored)
        _save_held_out(folder / "held_out" / step.tool, made.scorer.held_out, sample, wanted)
    session.progress("fitting", len(chosen), len(chosen))


def _save_held_out(folder: Path, scores: Scores, sample: Indices, wanted: NDArray[np.bool_]) -> None:
    parts: dict[str, NDArray[Any] | None] = {
        "item": scores.item,
        "local": scores.local,
        "expected": scores.expected,
        "doubt": scores.doubt,
    }
    parts["category"] = scores.category
    arrays = {name: array[wanted] for name, array in parts.items() if array is not None}
    save_state(folder, {"index": sample[wanted], **arrays}, {})


def held_out(session: Session, method: str) -> tuple[Indices, Scores]:
    """Positions and held-out scores of the training items that the run has to score."""
    arrays, _ = load_state(session.folder("fit") / "held_out" / method)
    parts = (arrays.get(name) for name in ("local", "expected", "doubt", "category"))
    return arrays["index"], Scores(arrays["item"], *parts)
