"""Whether an export scores like the detector it was made from, on real images.

An export computes in float32. What it is held to is the detector in float32: the same weights, the same arithmetic. One
that was fitted in bfloat16 gives somewhat other scores, as it does on any other processor, for bfloat16 rounds each
step to 8 bits and the order of summing decides what is lost. One whose large memory is searched by clusters misses a
neighbour now and then, which a graph that looks everywhere does not. How much other is measured too, with what it does
to flags, and told; it cannot be what an export is held to.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentad.errors import AgentadError, InputError
from agentad.tools.fitted import FittedDetector
from agentad.tools.road import Indices, Progress, silent

IMAGES = 32
"""Most images compared."""
TOLERANCE = 1e-3
"""Largest difference of a score, in `spread`."""


def compare(
    exported: FittedDetector, fitted: FittedDetector, exact: FittedDetector, data: Any, progress: Progress = silent
) -> dict[str, Any]:
    """Score some images of `data`, spread evenly over those that were not learned from; returns what the manifest says.

    Args:
        exported: the export.
        fitted: what it was made from.
        exact: the same in float32; `fitted` itself where that computes in float32.
        data: opened images.
        progress: called with (what, done, total).

    Raises:
        InputError: there is no image.
        AgentadError: the scores differ.
    """
    total = len(data.items)
    if not total:
        raise InputError("there is no image to compare the export on; give a folder of images with --data")
    # A memory that holds an image's own patches scores it as nothing, and the same in other arithmetic as something.
    fresh = np.flatnonzero(~np.isin(data.items.id.astype(str), fitted.train_ids))
    fresh = fresh if len(fresh) else np.arange(total)
    index = fresh[np.unique(np.linspace(0, len(fresh) - 1, min(len(fresh), IMAGES)).round().astype(np.int64))]
    ours, ours_local = _scores(exported, data, index, "scoring with the export", progress)
    truth, local = _scores(exact, data, index, "scoring in float32", progress)
    spread = min(spread_of(truth), spread_of(fitted.calibration.scores))
    found: dict[str, Any] = {"images": len(index), "spread": spread, "tolerance": TOLERANCE}
    found |= {
        "reference": "the detector in float32",
        **_difference(ours, truth, spread, fitted),
    }
    # A patch or two may differ more: features are float16, and where one lies between two of them, any error decides.
    found["map_difference"] = float(np.sqrt(np.mean((ours_local - local) ** 2))) / spread_of(local)
    if exact is not fitted:
        kept, _ = _scores(fitted, data, index, "scoring as fitted", progress)
        dtype = fitted.plan.encoder.params.get("dtype", "float32")
        search = "" if exact.scorer is fitted.scorer else ", its memory searched by clusters"
        found["as_fitted"] = {"reference": f"the detector as fitted, in {dtype}{search}"}
        found["as_fitted"] |= _difference(ours, kept, spread, fitted)
    refuse_difference(found)
    return found


def refuse_difference(found: dict[str, Any]) -> None:
    """Raise AgentadError if `found` by `compare` is not parity."""
    worst = max(found["largest_difference"], found["map_difference"])
    if not worst <= TOLERANCE:
        raise AgentadError(
            f"the export would score differently from the detector: by up to {found['largest_difference']:.2g} of the "
            f"scores' spread ({found['map_difference']:.2g} on maps), over {found['images']} images, where "
            f"{TOLERANCE:g} is allowed. Nothing was written; please report this with the plan"
        )


def spread_of(scores: NDArray[Any]) -> float:
    """Standard deviation; where all are alike, a millionth of their size, so that only equal scores pass."""
    return max(float(np.std(scores)), 1e-6 * float(np.abs(scores).max()), 1e-12)


def _scores(
    fitted: FittedDetector, data: Any, index: Indices, what: str, progress: Progress
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Scores (m,) and maps (m, h, w) of the images at `index`."""
    items, maps = [], []
    for _, scores in fitted.scored(data, index, lambda _, done, total: progress(what, done, total)):
        items.append(scores.item)
        maps.append(np.asarray(scores.local))
    return np.concatenate(items).astype(np.float64), np.concatenate(maps).astype(np.float64)


def _difference(
    ours: NDArray[np.float64], theirs: NDArray[np.float64], spread: float, fitted: FittedDetector
) -> dict[str, float | int]:
    """How far apart scores (m,) are, in `spread`, and how many flags differ."""
    away = np.abs(ours - theirs) / spread
    flags = fitted.calibration.flags(ours) != fitted.calibration.flags(theirs)
    return {
        "largest_difference": float(away.max()),
        "mean_difference": float(away.mean()),
        "mean_shift": float(np.mean(ours - theirs)) / spread,
        "flags_that_differ": int(flags.sum()),
    }
