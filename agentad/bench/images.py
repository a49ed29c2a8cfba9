"""Folders of images in MVTec's layout: how well methods find anomalous images and outline what is wrong in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from agentad.bench.case import Case, encoded, planned
from agentad.bench.cost import Cost
from agentad.bench.kept import Row
from agentad.bench.methods import Method, find, of_step
from agentad.bench.suite import Bench, Suite
from agentad.errors import InputError
from agentad.flow import Modality, Step
from agentad.metrics import evaluate
from agentad.metrics.segmentation import PRO_LIMIT
from agentad.modalities.items import Items
from agentad.modalities.shown import encodable, shown
from agentad.modalities.split import split_items
from agentad.planning.situation import Training
from agentad.steps.evaluate import pixels
from agentad.steps.prepare import fetch_weights
from agentad.steps.score import Scored
from agentad.tools.road import Indices, Progress, silent

DEEPEST = 3
"""Folders between a root and a category in it, the category included."""
METRICS = {
    "auroc": "image_auroc",
    "ap": "image_ap",
    "f1max": "f1max",
    "pixel_auroc": "pixel_auroc",
    "pixel_ap": "pixel_ap",
    "aupro": "aupro",
}
"""Names of `flow.Metrics`, as rows call them."""
CORESET = "memory-bank-coreset"
VARIANTS = {CORESET: Step(tool="memory-bank", params={"coreset": True})}
"""Baselines that are a tool with other settings than its card's."""


def bench_images(
    data: str | Path | Sequence[str | Path],
    *,
    seeds: int = 1,
    detectors: str = "default",
    aupro_limit: float = PRO_LIMIT,
    out: Path | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Measure detectors and baselines on every category in `data`. The same call again returns at once.

    The baselines, on the same features as the default: the memory bank with its card's settings and so at random, the
    memory bank with a coreset, and Mahalanobis distance.

    Args:
        data: one or several folders that hold categories at most three folders deep, or are one. A category has `train`
            and `test`, with folders of good images and of types of anomaly in them, and a folder of masks.
        seeds: 0 to `seeds` - 1. The layout says what is learned from, so they differ in the methods' own choices.
        detectors: `default` (what the rule planner chooses), names of tools separated by commas, or `all`.
        aupro_limit: highest pixel false-positive rate that AUPRO looks at.
        out: where finished rows are kept, by default in the folder of runs.
        progress: called with (what, done, total).

    Returns:
        `rows`, one per category, detector and seed, `summary`, one per detector, and what was skipped.

    Raises:
        InputError: bad options, or no categories there.
    """
    from agentad.bench.pairs import Pairs, holds_pairs  # which builds on this module

    roots = [Path(path) for path in ([data] if isinstance(data, str | Path) else data)]
    suite = (Pairs if all(map(holds_pairs, roots)) else Images)(progress, aupro_limit)
    return Bench(suite, roots, detectors=detectors, seeds=seeds, out=out, progress=progress).run()


class Images(Suite):
    """The suite `images`."""

    name = "images"
    modality: Modality = "image"
    training: Training = "normal"
    baselines: tuple[str, ...] = ("memory-bank", CORESET, "mahalanobis")
    on_request: tuple[str, ...] = ()
    metrics: tuple[str, ...] = (*METRICS.values(), *(f"macro_{name}" for name in METRICS.values()))
    per_item: tuple[str, ...] = ("ms_per_image", "encode_ms")

    def __init__(self, progress: Progress = silent, aupro_limit: float = PRO_LIMIT) -> None:
        if not 0 < aupro_limit <= 1:
            raise InputError(f"aupro-limit {aupro_limit:g}: give a rate above 0, at most 1")
        self.options: dict[str, Any] = {
            "weights": list(fetch_weights("image", progress)),
            "aupro_limit": aupro_limit,
        }

    def datasets(self, root: Path) -> dict[str, Path]:
        """Folders in `root` that hold `train` and `test`, by their path below it; `root` itself if it does."""
        if _is_category(root):
            return {encodable(root.name): root}
        return {encodable(path.relative_to(root).as_posix()): path for path in _categories(root, DEEPEST)}

    def refusal(self, data: Any) -> str | None:
        """A category needs given training images, and test images of both classes."""
        label, given = data.items.label, data.items.given
        judged = {int(value) for value in label[given == "test"]}
        if not (np.any((given == "train") & (label == 0)) and {0, 1} <= judged):
            return "not a category: it needs train/good, and good and anomalous images in test"
        return None

    def case(self, data: Any, seed: int, before: Case | None, progress: Progress) -> Case:
        """As the layout says; anomalous images among the training ones are judged. Encoded once for all seeds."""
        plan = planned(data, data.profile, seed, self.options["weights"])
        split = split_items(data.items, plan.training, seed)
        extra = _unlearned_anomalies(data.items, split.train)
        test = np.union1d(split.test, extra)
        said = (f"{len(extra)} anomalous images of the training folder are judged",) if len(extra) else ()
        same = before is not None and np.array_equal(before.test, test) and np.isin(before.train, split.train).all()
        case = before if before is not None and same else encoded(plan, data, split.train, test, progress)
        return replace(case, plan=plan, notes=(*split.notes, *said))

    def method(self, name: str, case: Case, shots: int | None) -> Method:
        """The method called `name`."""
        return of_step(VARIANTS[name], case) if name in VARIANTS else find(name, case)

    def row(self, case: Case, scored: Scored, cost: Cost) -> Row:
        """Image and pixel metrics with intervals, by type and macro; CPU time an image, reading and encoding included.

        `peak_mb` is the most memory the process held while encoding the images or while this method learned and scored,
        the encoded images and the encoder included.
        """
        judged, items, limit = case.test, case.data.items, self.options["aupro_limit"]
        found = evaluate(
            scored.item,
            case.labels,
            kinds=[str(kind) for kind in items.kind[judged]],
            groups=items.group[judged],
            aupro_limit=limit,
            seed=case.plan.seed,
            **pixels(case.data, case.plan.modality, judged, scored.local),
        )
        encode_ms = 1000 * case.encode_s / len(judged)
        return {
            **{key: getattr(found, name) for name, key in METRICS.items()},
            **{f"macro_{key}": found.macro.get(name) for name, key in METRICS.items()},
            "by_type": {kind: _renamed(own) for kind, own in found.by_type.items()},
            "intervals": _renamed({name: list(ends) for name, ends in found.intervals.items()}),
            "macro_intervals": _renamed({name: list(ends) for name, ends in found.macro_intervals.items()}),
            "aupro_limit": limit,
            "fit_s": cost.fit_s,
            "score_s": cost.score_s,
            "learn_encode_s": round(case.learn_s, 4),
            "ms_per_image": round(encode_ms + 1000 * cost.score_s / len(judged), 2),
            "encode_ms": round(encode_ms, 2),
            "peak_mb": max(cost.peak_mb, case.peak_mb),
            "encoder": case.plan.encoder.tool,
            "learned": len(case.train),
            "judged": len(judged),
            "anomalous": int((case.labels == 1).sum()),
            "without_mask": found.without_mask,
            "notes": list(case.notes),
        }


def _renamed(values: Mapping[str, Any]) -> dict[str, Any]:
    return {METRICS[name]: value for name, value in values.items()}


def _unlearned_anomalies(items: Items, train: Indices) -> Indices:
    """Anomalous images of the training folder: nobody learns from them, and no near-duplicate of them is learned."""
    anomalous = (items.given == "train") & (items.label == 1) & ~np.isin(items.group, items.group[train])
    return np.flatnonzero(anomalous)


def _categories(folder: Path, depth: int) -> Iterator[Path]:
    """Categories at most `depth` folders below `folder`, sorted; nothing is looked for inside one."""
    if not depth or not folder.is_dir():
        return
    try:
        below = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    except OSError as error:
        raise InputError(
            f"{shown(folder)}: cannot be listed ({error.strerror}); give a folder of categories"
        ) from error
    for path in below:
        if _is_category(path):
            yield path
        else:
            yield from _categories(path, depth - 1)


def _is_category(path: Path) -> bool:
    return (path / "train").is_dir() and (path / "test").is_dir()
