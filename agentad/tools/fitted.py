"""A detector as users hold it: encoder, scoring rule and calibration in one folder that another machine can load.

::

    detector/
        detector.json    format, versions, the plan, the threshold, and the SHA-256 of every other file
        encoder/         what turns a row or an image into numbers, weights included
        scorer/          the fitted scoring rule
        calibration/     held-out scores that p-values are read from

Only safetensors and JSON; loading executes nothing from the folder.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from agentad import __version__
from agentad.detectors.base import Detector, Floats, Scores, State
from agentad.detectors.conformal import Calibration
from agentad.errors import DetectorRefused, PlanRejected
from agentad.flow import Evidence, Plan, Step, Threshold
from agentad.modalities.items import Items
from agentad.store.arrays import load_state, save_state
from agentad.store.atomic import write_json
from agentad.tools.cards import check_params, load_cards, resolve
from agentad.tools.road import Batch, Indices, Progress, Road, road, silent

FORMAT = 1
LOCAL_QUANTILE = 0.995
MANIFEST = "detector.json"


@dataclass(frozen=True)
class FittedDetector:
    """A calibrated detector. Scores: higher = more anomalous."""

    plan: Plan
    encoder: Any
    scorer: Detector
    calibration: Calibration
    local_level: float
    """Local scores above it stand out: the `LOCAL_QUANTILE` of the held-out ones; the largest float32 without any."""
    train_ids: tuple[str, ...]
    """Ids of the items it was fitted on, in order, so that a nearest normal can be named."""

    @property
    def road(self) -> Road:
        """The modality's part."""
        return road(self.plan.modality)

    @property
    def threshold(self) -> Threshold:
        """Items above it are flagged."""
        return self.calibration.threshold

    def scored(self, data: Any, index: Indices, progress: Progress = silent) -> Iterator[tuple[Batch, Scores]]:
        """The items at `index` (sorted) with their scores, in batches."""
        done = 0
        for batch in self.road.batches(self.encoder, data, index):
            yield batch, self.scorer.score(batch.x)
            done += len(batch.index)
            progress("scoring", done, len(index))

    def evidence(self, data: Any, batch: Batch, scores: Scores) -> Sequence[tuple[Evidence, ...]]:
        """Why the items of `batch` have their `scores`."""
        return self.road.evidence(self, data, batch, scores)


def make(step: Step) -> Any:
    """The encoder or detector a step names, with the step's settings."""
    card = load_cards()[step.tool]
    return resolve(card)(**check_params(card, step.params))


def encode_sample(plan: Plan, data: Any, train: Indices, progress: Progress = silent) -> tuple[Any, Indices, Floats]:
    """Fit the encoder and encode what detectors are fitted on: a sample of `train`, at most the road's `FIT_ITEMS`."""
    way = road(plan.modality)
    sample = train
    if len(train) > way.FIT_ITEMS:
        sample = np.sort(np.random.default_rng(plan.seed).choice(train, way.FIT_ITEMS, replace=False))
    encoder = way.fit_encoder(make(plan.encoder), data, sample)
    parts: list[Floats] = []
    done = 0
    for batch in way.batches(encoder, data, sample):
        parts.append(batch.x)
        done += len(batch.index)
        progress("encoding", done, len(sample))
    return encoder, sample, np.concatenate(parts)


def fit(plan: Plan, step: Step, encoder: Any, x: Floats, items: Items) -> FittedDetector:
    """Fit the detector `step` names on encoded `items` x (n, …) and calibrate it on its held-out scores."""
    scorer: Detector = make(step).fit(x, groups=items.group, seed=plan.seed)
    calibration = Calibration(scorer.held_out.item, plan.target_far, known_normal=plan.training == "normal")
    local = scorer.held_out.local
    level = float(np.quantile(local, LOCAL_QUANTILE)) if local is not None else float(np.finfo(np.float32).max)
    own = plan.model_copy(update={"detector": step})
    return FittedDetector(own, encoder, scorer, calibration, level, tuple(str(name) for name in items.id))


def save(fitted: FittedDetector, folder: Path) -> None:
    """Write the detector folder. The caller makes it appear whole (`store.atomic.whole_folder`)."""
    fitted.road.save_encoder(fitted.encoder, folder / "encoder")
    state = fitted.scorer.state()
    save_state(folder / "scorer", state.arrays, state.settings)
    settings = {
        "known_normal": fitted.plan.training == "normal",
        "target_far": fitted.threshold.target_far,
        "local_level": fitted.local_level,
        "train_ids": list(fitted.train_ids),
    }
    save_state(folder / "calibration", {"scores": fitted.calibration.scores}, settings)
    document = {
        "format": FORMAT,
        "agentad": __version__,
        "plan": fitted.plan.model_dump(mode="json"),
        "threshold": fitted.threshold.model_dump(mode="json"),
        "files": _digests(folder),
    }
    write_json(folder / MANIFEST, document)


def load(folder: Path) -> FittedDetector:
    """The detector in `folder`.

    Raises:
        DetectorRefused: not a detector, damaged, or made by a version this one does not understand.
    """
    document = _manifest(folder)
    try:
        plan = Plan.model_validate(document["plan"])
        encoder_type, scorer_type = (resolve(load_cards()[step.tool]) for step in (plan.encoder, plan.detector))
        encoder = road(plan.modality).load_encoder(encoder_type, folder / "encoder")
        scorer = scorer_type.restore(State(*load_state(folder / "scorer")))
        arrays, settings = load_state(folder / "calibration")
        calibration = Calibration(arrays["scores"], settings["target_far"], known_normal=settings["known_normal"])
        level, ids = float(settings["local_level"]), tuple(map(str, settings["train_ids"]))
    except (KeyError, TypeError, ValueError, ValidationError, PlanRejected) as error:
        raise DetectorRefused(f"{folder}: agentad {__version__} does not understand this detector ({error})") from error
    return FittedDetector(plan, encoder, scorer, calibration, level, ids)


def read_threshold(folder: Path) -> Threshold:
    """The threshold of the detector in `folder`, without loading the detector."""
    return Threshold.model_validate(json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["threshold"])


def _manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DetectorRefused(
            f"{folder}: not a detector folder (no readable {MANIFEST}); give a run or its detector"
        ) from error
    version = document.get("format") if isinstance(document, dict) else None
    if version != FORMAT:
        raise DetectorRefused(
            f"{path}: format {version!r}, but agentad {__version__} reads format {FORMAT}; load it with the version "
            "that wrote it, or fit again"
        )
    listed, found = document.get("files"), _digests(folder)
    expected = listed if isinstance(listed, dict) else {}
    wrong = [name for name in sorted({*expected, *found}) if expected.get(name) != found.get(name)]
    if wrong:
        raise DetectorRefused(
            f"{folder}: {', '.join(wrong)} changed since it was saved; copy the whole detector folder again"
        )
    return dict(document)


def _digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != MANIFEST)
    return {path.relative_to(folder).as_posix(): _sha256(path) for path in files}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
