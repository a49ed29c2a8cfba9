"""What a detector learned from few anomalies, in a folder within its own that can be taken away.

::

    detector/adapter/
        detector.json    format, versions, the head's step, and the SHA-256 of every other file
        head/            the fitted head
        calibration/     held-out scores of normal items by detector and head together

Without the folder the detector is what it was before. Only safetensors and JSON.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from agentad.backbones.encoder import Image
from agentad.detectors.base import Detector, Floats, Scores, State
from agentad.detectors.judged import Head, Judged, Pictures
from agentad.flow import Step, Threshold
from agentad.store.arrays import load_state, save_state
from agentad.tools import fitted as tool
from agentad.tools.cards import load_cards, resolve
from agentad.tools.fitted import FittedDetector
from agentad.tools.road import road


@dataclass(frozen=True)
class Adapted:
    """A detector and a head on top of it, as one detector."""

    base: Detector
    head: Head
    step: Step
    """Names the head."""

    @property
    def held_out(self) -> Scores:
        """Scores of the normal items that the head was taught by, held out."""
        return self.head.held_out

    @property
    def categories(self) -> int:
        """How many the detector was told of."""
        return int(getattr(self.base, "categories", 0))

    @property
    def uses_images(self) -> bool:
        """Whether `score` has to be given `pictures`, the images behind the items."""
        return bool(getattr(self.head, "uses_images", False))

    def score(self, x: Floats, *, pictures: Pictures | None = None, **told: Any) -> Scores:
        """Scores by both. Higher = more anomalous."""
        found = self.base.score(x, **told)
        return replace(self.head.score(Judged(x, found, pictures=pictures)), category=found.category)

    def state(self) -> State:
        """The detector's, as it was before: evidence is read from it."""
        return self.base.state()

    def __getattr__(self, name: str) -> Any:
        """What else the detector offers: `nearest`, `notes`, and what evidence is read from."""
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.base, name)


def adapted(fitted: FittedDetector, step: Step, head: Head) -> FittedDetector:
    """`fitted` with a fitted head on top, calibrated on the head's held-out scores of normal items."""
    calibration, level, peaks = tool.calibrated(fitted.plan, head.held_out, known_normal=True)
    scorer = cast(Any, Adapted(fitted.scorer, head, step))
    return replace(fitted, scorer=scorer, calibration=calibration, local_level=level, peaks=peaks)


def save_adapter(fitted: FittedDetector, folder: Path) -> None:
    """Write the adapter of a detector that has one into the detector's `folder`."""
    own, scorer = folder / tool.ADAPTER, cast(Any, fitted.scorer)
    state = scorer.head.state()
    save_state(own / "head", state.arrays, state.settings)
    tool.save_calibration(fitted, own)
    tool.write_manifest(fitted, own, head=scorer.step.model_dump(mode="json"))


def load(folder: Path) -> FittedDetector:
    """The detector in `folder`, with its adapter if it has one.

    Raises:
        DetectorRefused: not a detector, damaged, or made by a version this one does not understand.
        MissingExtra: it needs an optional package that is not installed.
    """
    fitted, own = tool.load_base(folder), folder / tool.ADAPTER
    if not (own.exists() or own.is_symlink()):
        return fitted
    document = tool.read_manifest(own)
    with tool.understood(own):
        step = Step.model_validate(document["head"])
        head = resolve(load_cards()[step.tool]).restore(State(*load_state(own / "head")))
        scorer = cast(Any, Adapted(fitted.scorer, head, step))
        found = tool.with_calibration(fitted.plan, fitted.encoder, scorer, own)
        told = {"pictures": Pictures(fitted.encoder, (_blank,))} if scorer.uses_images else {}
        tool.try_out(scorer, road(fitted.plan.modality).blank(fitted.encoder), **told)
    return found


def _blank() -> Image:
    return np.zeros((8, 8, 3), np.uint8)


def read_threshold(folder: Path) -> Threshold:
    """The threshold of the detector in `folder`, without loading the detector."""
    own = folder / tool.ADAPTER
    return tool.read_threshold(own if own.is_dir() else folder)
