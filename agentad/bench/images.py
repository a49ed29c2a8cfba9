"""Folders of images in MVTec's layout: how well methods find anomalous images and outline what is wrong in them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from agentad.bench.case import Case, encoded, planned
from agentad.bench.cost import Cost
from agentad.bench.kept import Row
from agentad.bench.suite import Bench, Suite
from agentad.flow import Modality
from agentad.metrics import evaluate
from agentad.modalities.shown import encodable
from agentad.modalities.split import split_items
from agentad.planning.situation import Training
from agentad.steps.evaluate import pixels
from agentad.steps.prepare import fetch_weights
from agentad.steps.score import Scored
from agentad.tools.road import Progress, silent


def bench_images(
    data: str | Path,
    *,
    seeds: int = 1,
    detectors: str = "default",
    out: Path | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Measure detectors and the memory bank on every category in `data`. The same call again returns at once.

    Args:
        data: a folder of categories, each with `train/good`, `test/<type>` and `ground_truth/<type>`, or one category.
        seeds: 0 to `seeds` - 1. The layout says what is learned from, so they differ in the methods' own choices.
        detectors: `default` (what the rule planner chooses), names of tools separated by commas, or `all`.
        out: where finished rows are kept, by default in the folder of runs.
        progress: called with (what, done, total).

    Returns:
        `rows`, one per category, detector and seed, `summary`, one per detector, and what was skipped.

    Raises:
        InputError: bad options, or no categories there.
    """
    from agentad.bench.pairs import Pairs, holds_pairs  # which builds on this module

    suite = Pairs(progress) if holds_pairs(Path(data)) else Images(progress)
    return Bench(suite, Path(data), detectors=detectors, seeds=seeds, out=out, progress=progress).run()


class Images(Suite):
    """The suite `images`."""

    name = "images"
    modality: Modality = "image"
    training: Training = "normal"
    baselines: tuple[str, ...] = ("memory-bank",)
    on_request: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ("image_auroc", "image_ap", "f1max", "pixel_auroc", "pixel_ap", "aupro")
    per_item: tuple[str, ...] = ("ms_per_image", "encode_ms")

    def __init__(self, progress: Progress = silent) -> None:
        self.options: dict[str, Any] = {"weights": list(fetch_weights("image", progress))}

    def datasets(self, root: Path) -> dict[str, Path]:
        """The folders in `root` that hold `train` and `test`; `root` itself if it does."""
        if _is_category(root):
            return {encodable(root.name): root}
        below = sorted(root.iterdir()) if root.is_dir() else []
        return {encodable(path.name): path for path in below if _is_category(path)}

    def refusal(self, data: Any) -> str | None:
        """A category needs given training images, and test images of both classes."""
        label, given = data.items.label, data.items.given
        judged = {int(value) for value in label[given == "test"]}
        if not (np.any(given == "train") and {0, 1} <= judged):
            return "not a category: it needs train/good, and good and anomalous images in test"
        return None

    def case(self, data: Any, seed: int, before: Case | None, progress: Progress) -> Case:
        """As the layout says. The images are encoded once for all seeds."""
        plan = planned(data, data.profile, seed, self.options["weights"])
        if before is not None:
            return replace(before, plan=plan)
        split = split_items(data.items, plan.training, seed)
        return encoded(plan, data, split.train, split.test, progress)

    def row(self, case: Case, scored: Scored, cost: Cost) -> Row:
        """Image and pixel metrics, and CPU time an image, encoding included."""
        judged = case.test
        found = evaluate(scored.item, case.labels, **pixels(case.data, case.plan.modality, judged, scored.local))
        encode_ms = 1000 * case.encode_s / len(judged)
        return {
            "image_auroc": found.auroc,
            "image_ap": found.ap,
            "f1max": found.f1max,
            "pixel_auroc": found.pixel_auroc,
            "pixel_ap": found.pixel_ap,
            "aupro": found.aupro,
            "fit_s": cost.fit_s,
            "score_s": cost.score_s,
            "learn_encode_s": round(case.learn_s, 4),
            "ms_per_image": round(encode_ms + 1000 * cost.score_s / len(judged), 2),
            "encode_ms": round(encode_ms, 2),
            "peak_mb": cost.peak_mb,
            "encoder": case.plan.encoder.tool,
            "learned": len(case.train),
            "judged": len(judged),
            "anomalous": int((case.labels == 1).sum()),
        }


def _is_category(path: Path) -> bool:
    return (path / "train").is_dir() and (path / "test").is_dir()
