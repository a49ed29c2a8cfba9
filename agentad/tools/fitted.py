"""A detector as users hold it: encoder, scoring rule and calibration in one folder that another machine can load.

::

    detector/
        detector.json    format, versions, the plan, the threshold, and the SHA-256 of every other file
        encoder/         what turns a row or an image into numbers, weights included
        scorer/          the fitted scoring rule
        calibration/     held-out scores that p-values are read from: of items, and of images the highest local score
        adapter/         what was learned from few anomalies, if anything; see `adapter`

Only safetensors and JSON; loading executes nothing from the folder.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentad import __version__
from agentad.backbones.encoder import Image
from agentad.backbones.paired import PairedEncoder
from agentad.detectors.base import Detector, Floats, Scores, State
from agentad.detectors.conformal import Calibration, conformal_p_values
from agentad.detectors.judged import Pictures
from agentad.errors import DetectorRefused, InputError, MissingExtra
from agentad.flow import CategoryEvidence, Evidence, Plan, Step, Threshold, ToolCard
from agentad.modalities.items import Items
from agentad.modalities.shown import shown
from agentad.store.arrays import load_state, save_state
from agentad.store.atomic import publish_folder, write_json
from agentad.store.documents import read_json
from agentad.tools import categories
from agentad.tools.cards import check_params, load_cards, resolve
from agentad.tools.road import Batch, Indices, Progress, Road, road, silent

FORMAT = 1
LOCAL_QUANTILE = 0.995
MANIFEST = "detector.json"
ADAPTER = "adapter"
"""The folder within a detector's in which its adapter is."""
_DAMAGE = (
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
    ArithmeticError,
    RuntimeError,
    AssertionError,
    InputError,
)
"""What detectors and the libraries below them raise over arrays and settings that do not fit together."""


@dataclass(frozen=True)
class FittedDetector:
    """A calibrated detector. Scores: higher = more anomalous."""

    plan: Plan
    encoder: Any
    scorer: Detector
    calibration: Calibration
    local_level: float
    """Local scores above it stand out: the `LOCAL_QUANTILE` of the held-out ones; the largest float32 without any."""
    peaks: NDArray[np.floating[Any]] | None
    """(n,) ascending: the highest local score of each item it was fitted on, held out, at most `FIT_ITEMS` numbers.
    None where items have no maps, and in detectors saved before regions had p-values."""
    train_ids: tuple[str, ...]
    """Ids of the items it was fitted on, in order, so that a nearest normal can be named."""
    categories: tuple[str, ...] = ()
    """Names of the categories that `scorer` was told of, in its order; none where there was only one."""

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
            yield batch, self.score(data, batch)
            done += len(batch.index)
            progress("scoring", done, len(index))

    def score(self, data: Any, batch: Batch) -> Scores:
        """Scores of the items of `batch`, some of the items of `data`; told their categories where that counts."""
        told: dict[str, Any] = {"categories": self._places(data, batch)} if self.categories else {}
        if getattr(self.scorer, "uses_images", False):
            told["pictures"] = Pictures(self.encoder, tuple(partial(_given, image) for image in batch.raw))
        return self.scorer.score(batch.x, **told)

    def evidence(self, data: Any, batch: Batch, scores: Scores) -> Sequence[tuple[Evidence, ...]]:
        """Why the items of `batch` have their `scores`."""
        found = self.road.evidence(self, data, batch, scores)
        if scores.category is None:
            return found
        names = [self.categories[place] for place in scores.category.tolist()]
        said = (self._places(data, batch) >= 0).tolist()
        return [
            (CategoryEvidence(category=name, inferred=not known), *own)
            for name, known, own in zip(names, said, found, strict=True)
        ]

    def _places(self, data: Any, batch: Batch) -> NDArray[np.int64]:
        return categories.places(self.categories, data.items.take(batch.index), data.profile.root)

    def region_p_value(self, peak: float) -> float | None:
        """The p-value of a region whose highest score is `peak`; None without `peaks`.

        (1 + k) / (n + 1) for k of the n training images whose own highest local score, held out, is at least `peak`.
        It is per image, not per region: of normal images, a share of at most p has a highest region with this
        p-value or a lower one. A lower region is compared with the others' highest, so that it errs towards normal.
        """
        return None if self.peaks is None else float(conformal_p_values(self.peaks, np.array([peak]))[0])


def make(step: Step, cards: Mapping[str, ToolCard] | None = None) -> Any:
    """The tool a step names, with the step's settings. `cards` saves reading them again."""
    card = (load_cards() if cards is None else cards)[step.tool]
    return resolve(card)(**check_params(card, step.params))


def seen_by(step: Step, plan: Plan) -> Step:
    """The encoder that a detector or baseline of `plan` works on."""
    return step.encoder or plan.encoder


def encode_sample(plan: Plan, data: Any, train: Indices, progress: Progress = silent) -> tuple[Any, Indices, Floats]:
    """Fit the encoder and encode what detectors are fitted on: a sample of `train`, at most the road's `FIT_ITEMS`."""
    way = road(plan.modality)
    sample = _drawn(train, way.FIT_ITEMS, plan.seed)
    encoder = way.fit_encoder(paired(make(plan.encoder), plan, load_cards()), data, sample)
    sample = _drawn(sample, way.most(encoder), plan.seed)
    parts: list[Floats] = []
    done = 0
    for batch in way.batches(encoder, data, sample):
        parts.append(batch.x)
        done += len(batch.index)
        progress("encoding", done, len(sample))
    return encoder, sample, np.concatenate(parts)


def encode_copies(plan: Plan, step: Step, encoder: Any, data: Any, index: Indices) -> Floats | None:
    """Altered copies (n, k, …) of the items at `index`, encoded, where the detector of `step` learns from such."""
    made = make(step)
    if not getattr(made, "uses_copies", False):
        return None
    return road(plan.modality).copies(encoder, data, index, made.augment)


def _drawn(index: Indices, most: int, seed: int) -> Indices:
    """At most `most` of `index`, in order."""
    if len(index) <= most:
        return index
    return np.sort(np.random.default_rng(seed).choice(index, most, replace=False))


def paired(encoder: Any, plan: Plan, cards: Mapping[str, ToolCard]) -> Any:
    """The encoder, made to encode each image's template beside it where the plan's detector compares with one."""
    return PairedEncoder(encoder) if "template" in cards[plan.detector.tool].uses else encoder


def fit(
    plan: Plan,
    step: Step,
    encoder: Any,
    x: Floats,
    items: Items,
    *,
    defects: NDArray[np.bool_] | None = None,
    copies: Floats | None = None,
) -> FittedDetector:
    """Fit the detector `step` names on encoded `items` x (n, …) and calibrate it on its held-out scores.

    `defects` (n, h, w) marks places of images that are known to be anomalous. A detector that `uses_defects` is
    calibrated on what its items score without them, which is known to be normal. `copies` are what `encode_copies`
    makes for this step.
    """
    made = make(step)
    told: dict[str, Any] = {}
    if plan.modality == "table" and getattr(made, "uses_layout", False):
        told["layout"] = encoder.layout
    if defects is not None and getattr(made, "uses_defects", False):
        told["defects"] = defects
    if copies is not None:
        told["copies"] = copies
    names = categories.categories_of(made, items)
    if names:
        told["categories"] = categories.places(names, items, "")
    scorer: Detector = made.fit(x, groups=items.group, seed=plan.seed, **told)
    normal: Scores | None = getattr(scorer, "held_out_normal", None)
    held_out = scorer.held_out if normal is None else normal
    known = plan.training == "normal" or normal is not None
    own = plan.model_copy(update={"detector": step, "encoder": seen_by(step, plan)})
    ids = tuple(str(name) for name in items.id)
    return FittedDetector(own, encoder, scorer, *calibrated(own, held_out, known_normal=known), ids, names)


def calibrated(plan: Plan, held_out: Scores, *, known_normal: bool) -> tuple[Calibration, float, Floats | None]:
    """`FittedDetector`'s `calibration`, `local_level` and `peaks` by the held-out scores of normal items."""
    calibration = Calibration(held_out.item, plan.target_far, known_normal=known_normal)
    local = held_out.local
    level = float(np.quantile(local, LOCAL_QUANTILE)) if local is not None else float(np.finfo(np.float32).max)
    peaks = None if local is None else road(plan.modality).peaks(local)
    return calibration, level, None if peaks is None else np.sort(peaks)


def save(fitted: FittedDetector, folder: Path, *, beside: Path | None = None) -> None:
    """Write the detector folder. The caller makes it appear whole (`store.atomic.whole_folder`).

    Args:
        fitted: what to write.
        folder: where.
        beside: another detector's folder with the same encoder, whose files are linked instead of written again.
    """
    if beside is None:
        fitted.road.save_encoder(fitted.encoder, folder / "encoder")
    else:
        publish_folder(beside / "encoder", folder / "encoder")
    state = fitted.scorer.state()
    save_state(folder / "scorer", state.arrays, state.settings)
    save_calibration(fitted, folder)
    write_manifest(fitted, folder)


def save_calibration(fitted: FittedDetector, folder: Path) -> None:
    """Write what `with_calibration` reads."""
    settings: dict[str, Any] = {
        "known_normal": fitted.threshold.method == "conformal",
        "target_far": fitted.threshold.target_far,
        "local_level": fitted.local_level,
        "train_ids": list(fitted.train_ids),
    }
    if fitted.categories:
        settings["categories"] = list(fitted.categories)
    arrays: dict[str, NDArray[Any]] = {"scores": fitted.calibration.scores}
    save_state(folder / "calibration", arrays if fitted.peaks is None else arrays | {"peaks": fitted.peaks}, settings)


def write_manifest(fitted: FittedDetector, folder: Path, name: str = MANIFEST, **more: Any) -> None:
    """Write what is known of the detector, and the SHA-256 of every other file in its folder."""
    document = {
        "format": FORMAT,
        "agentad": __version__,
        "plan": fitted.plan.model_dump(mode="json"),
        "threshold": fitted.threshold.model_dump(mode="json"),
        "files": {own: _sha256(path) for own, path in _files(folder, name).items()},
    }
    write_json(folder / name, more | document)


def load_base(folder: Path) -> FittedDetector:
    """The detector in `folder` without its adapter.

    Raises:
        DetectorRefused: not a detector, damaged, or made by a version this one does not understand.
        MissingExtra: it needs an optional package that is not installed.
    """
    document = read_manifest(folder)
    with understood(folder):
        plan = Plan.model_validate(document["plan"])
        cards = load_cards()
        encoder_type, scorer_type = (resolve(cards[step.tool]) for step in (plan.encoder, plan.detector))
        encoder = paired(road(plan.modality).load_encoder(encoder_type, folder / "encoder"), plan, cards)
        scorer = scorer_type.restore(State(*load_state(folder / "scorer")))
        fitted = with_calibration(plan, encoder, scorer, folder)
        try_out(scorer, road(plan.modality).blank(encoder))
    return fitted


@contextmanager
def understood(folder: Path) -> Iterator[None]:
    """Turn what damaged arrays and settings raise into `DetectorRefused`."""
    try:
        yield
    except MissingExtra:  # nothing is wrong with the detector
        raise
    except _DAMAGE as error:
        reason = shown(f"{type(error).__name__}: {error}")
        raise DetectorRefused(
            f"{folder}: agentad {__version__} does not understand this detector ({reason}); load it with the version "
            "that wrote it, or fit again"
        ) from error


def with_calibration(plan: Plan, encoder: Any, scorer: Detector, folder: Path) -> FittedDetector:
    """The detector made of these parts and the calibration in `folder`. Raises what damaged files make it raise."""
    arrays, settings = load_state(folder / "calibration")
    calibration = Calibration(_sample(arrays["scores"]), settings["target_far"], known_normal=settings["known_normal"])
    level, ids = float(settings["local_level"]), tuple(map(str, settings["train_ids"]))
    peaks = np.sort(_sample(arrays["peaks"])) if "peaks" in arrays else None
    names = tuple(map(str, settings.get("categories", ())))
    if len(names) != getattr(scorer, "categories", 0):
        raise ValueError(f"{len(names)} names for the detector's categories")
    return FittedDetector(plan, encoder, scorer, calibration, level, peaks, ids, names)


def _sample(scores: NDArray[Any]) -> NDArray[np.float64]:
    if scores.ndim != 1 or not len(scores) or not np.isfinite(scores).all():
        raise ValueError("calibration scores have to be finite numbers (n,)")
    return scores.astype(np.float64)


def _given(image: Image) -> Image:
    return image


def try_out(scorer: Detector, x: Floats, **told: Any) -> None:
    """Score one encoded item, so that arrays of shapes that do not fit are found before they are used.

    `told` is what the scorer wants to be given beside it.
    """
    found = scorer.score(x, **told)
    if found.item.shape != (1,) or not (_fits(found.local, x) and _fits(found.doubt, x)):
        raise ValueError(f"the detector does not fit its encoder, whose items have the shape {x.shape[1:]}")


def _fits(local: Floats | None, x: Floats) -> bool:
    """Maps have one score a patch, which may be several of the encoder's cells or part of one; rows one a column."""
    if local is None or local.shape in (x.shape, x.shape[:-1]):
        return True
    sides = zip(local.shape, x.shape, strict=False)
    return local.ndim == 3 == x.ndim - 1 and all(n and (m % n == 0 or n % m == 0) for n, m in sides)


def read_threshold(folder: Path) -> Threshold:
    """The threshold of the detector in `folder` without its adapter, which is not loaded."""
    return Threshold.model_validate(read_json(folder / MANIFEST)["threshold"])


def read_manifest(folder: Path, name: str = MANIFEST) -> dict[str, Any]:
    """What `write_manifest` wrote, once every file is found to be as it was then.

    Raises:
        DetectorRefused: a file is absent, changed or new, or the format is another.
    """
    path = folder / name
    try:
        document = read_json(path)
    except (OSError, ValueError) as error:
        raise DetectorRefused(
            f"{folder}: not a detector folder (no readable {name}); give a run or its detector"
        ) from error
    version = document.get("format") if isinstance(document, dict) else None
    if version != FORMAT:
        raise DetectorRefused(
            f"{path}: format {version!r}, but agentad {__version__} reads format {FORMAT}; load it with the version "
            "that wrote it, or fit again"
        )
    listed, found = document.get("files"), _files(folder, name)
    expected = listed if isinstance(listed, dict) else {}
    # names first: a file that does not belong may be of any size
    wrong = sorted({*expected} ^ {*found}) or [n for n, path in found.items() if expected[n] != _sha256(path)]
    if wrong:
        raise DetectorRefused(
            f"{folder}: {shown(', '.join(wrong))} changed since it was saved; copy the whole detector folder again"
        )
    return dict(document)


def _files(folder: Path, manifest: str) -> dict[str, Path]:
    """Every file but the manifest, by its name below the folder. Links are none: what they lead to is not ours."""
    files = sorted(path for path in folder.rglob("*") if not path.is_dir() or path.is_symlink())
    adapter = folder / ADAPTER  # has a manifest of its own, and may be taken away
    own = [path for path in files if path != folder / manifest and adapter not in path.parents]
    return {path.relative_to(folder).as_posix(): path for path in own}


def _sha256(path: Path) -> str:
    if path.is_symlink() or not path.is_file():
        return "not a regular file"
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
