"""Fit and calibrate the planned detector and its baselines on the same items, encoded for each as it needs them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from agentad.detectors.base import Scores
from agentad.flow import Step
from agentad.steps.session import Session
from agentad.tools import fitted as tool
from agentad.tools.road import Indices, road
from agentad.tools.scored import load_scores, save_scores


def fit(session: Session, folder: Path) -> None:
    """`detector/`, `baselines/NAME/`, and in `held_out/NAME/` held-out scores of training items.

    Of those the run has to score; of the detector all, which rounds and `generate` ask for.
    """
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
        wanted = np.isin(sample, split.scored) | (step is plan.detector)
        save_scores(folder / "held_out" / step.tool, sample[wanted], made.scorer.held_out.take(wanted))
    session.progress("fitting", len(chosen), len(chosen))


def held_out(session: Session, method: str) -> tuple[Indices, Scores]:
    """Positions and held-out scores, by the detector or a baseline, of the training items that the run has to score."""
    index, scores = load_scores(session.folder("fit") / "held_out" / method)
    wanted = np.isin(index, session.split.scored)
    return index[wanted], scores.take(wanted)
