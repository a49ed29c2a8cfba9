"""PyOD's own automatic engine, `ADEngine`, as a baseline: what it chooses when nobody tells it anything.

Its calls, with every option as it comes and no language model:

1. `ADEngine(random_state=seed).investigate(z)` on the z-scored rows to learn from, since it scales nothing itself. That
   profiles the rows, plans by PyOD's routing rules (up to three detectors and their settings), fits each, averages the
   ranks they give, and names the `best_detector`: the one that agrees most with this average.
2. That detector's `decision_scores_` for the rows it learned from, and its `decision_function` for others.

The average of ranks itself scores no other rows.
"""

from __future__ import annotations

import warnings
from importlib import import_module

import numpy as np

from agentad.bench.case import Fitted
from agentad.detectors.base import Floats, Ints, Scores
from agentad.errors import Infeasible

MODULE = "pyod.utils.ad_engine"
"""Since PyOD 3."""


def engine(z: Floats, groups: Ints, seed: int) -> Fitted:
    """The detector that the engine picks for rows z (n, d).

    Raises:
        Infeasible: every detector it planned failed.
    """
    rows = np.asarray(z, dtype=np.float64)
    with warnings.catch_warnings(action="ignore"):
        state = import_module(MODULE).ADEngine(random_state=seed).investigate(rows)
    if state.analysis is None:
        failed = "; ".join(f"{result['detector_name']}: {result['error']}" for result in state.results)
        raise Infeasible(f"PyOD's engine: all detectors failed: {failed}")
    best = state.results[state.analysis["best_detector_index"]]
    return Fitted(
        Scores(np.asarray(best["scores_train"])),
        lambda u: Scores(np.asarray(best["detector"].decision_function(np.asarray(u, dtype=np.float64)))),
    )
