"""Pairs of an image and its template, with boxes of defects: how well methods outline what is wrong.

Every image may have defects, so images are not ranked: maps are judged by pixel, and their regions by box. Half of the
pairs, by a hash of their names, are learned from, and the level above which regions are boxes is the one best there.
The other half is judged.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from agentad.bench.case import Case, Fitted, Learned, encoded, planned
from agentad.bench.cost import Cost
from agentad.bench.images import Images
from agentad.bench.kept import Row
from agentad.bench.methods import DEFAULT, Method
from agentad.detectors.base import Floats
from agentad.errors import InputError
from agentad.flow import Step
from agentad.metrics import evaluate
from agentad.metrics.boxes import box_f1
from agentad.modalities.image.layout import arrange
from agentad.modalities.image.maps import regions
from agentad.modalities.image.walk import walk
from agentad.modalities.shown import encodable
from agentad.steps.evaluate import pixels
from agentad.steps.score import Scored
from agentad.tools.cards import load_cards, resolve
from agentad.tools.fitted import fit
from agentad.tools.road import Indices, Progress, road

PLAIN = "plain-difference"
_PLAIN = Step(tool="template-distance", params={"neighbourhood": 1, "blur": 1.0, "grow": 0})
"""The cheapest comparison: pixel minus pixel, blurred."""
QUANTILES = (0.9, 0.94, 0.96, 0.97, 0.975, 0.98, 0.985, 0.99, 0.995)
"""Of the pixels, from which the level is chosen."""
TUNED = 100
"""Pairs that the level is chosen on, at most."""


@dataclass
class Outlined(Scored):
    """Scores, and the level above which regions of the map are taken for defects."""

    level: float = 0.0


def holds_pairs(root: Path) -> bool:
    """Whether `root` is a folder of pairs with a file of boxes, by names alone."""
    return (root / "boxes.csv").is_file() and arrange([file.id for file in walk(root)[0]]).paired


class Pairs(Images):
    """The suite `images` for a folder of pairs."""

    baselines = ("template-distance", PLAIN)
    metrics = ("pixel_ap", "pixel_auroc", "aupro", "box_f1")

    def datasets(self, root: Path) -> dict[str, Path]:
        """The folder itself."""
        return {encodable(root.name): root}

    def refusal(self, data: Any) -> str | None:
        """Boxes are what is judged by."""
        if not any(data.boxes(i) for i in range(len(data))):
            return "no pairs to judge: it needs boxes.csv with the defects of its images"
        return None

    def case(self, data: Any, seed: int, before: Case | None, progress: Progress) -> Case:
        """Half to learn from, by name. The pairs are encoded once for all seeds."""
        plan = planned(data, data.profile, seed, self.options["weights"])
        if before is not None:
            return replace(before, plan=plan)
        learned = np.array([_learned(str(name)) for name in data.items.id])
        return encoded(plan, data, np.flatnonzero(learned), np.flatnonzero(~learned), progress)

    def method(self, name: str, case: Case, shots: int | None) -> Method:
        """The method called `name`; learning includes the choice of the level."""
        step = {DEFAULT: case.plan.detector, PLAIN: _PLAIN}.get(name, Step(tool=name))
        card = load_cards()[step.tool]
        resolve(card)
        params = {**{key: p.default for key, p in card.params.items()}, **step.params}
        same = f"{step.tool} {sorted(params.items())}"
        return Method(step.tool, card.diffusion, same, lambda: _learn(case, step))

    def row(self, case: Case, scored: Scored, cost: Cost) -> Row:
        """Pixel metrics, F-score per box, and CPU time an image, encoding included."""
        judged, local = case.test, _maps(scored.local)
        level = scored.level if isinstance(scored, Outlined) else 0.0
        found = evaluate(scored.item, case.labels, **pixels(case.data, case.plan.modality, judged, local))
        encode_ms = 1000 * case.encode_s / len(judged)
        return {
            "pixel_ap": found.pixel_ap,
            "pixel_auroc": found.pixel_auroc,
            "aupro": found.aupro,
            "box_f1": _box_f1(case, judged, _full(case, judged, local), level),
            "fit_s": cost.fit_s,
            "score_s": cost.score_s,
            "ms_per_image": round(encode_ms + 1000 * cost.score_s / len(judged), 2),
            "encode_ms": round(encode_ms, 2),
            "peak_mb": cost.peak_mb,
            "encoder": case.plan.encoder.tool,
            "learned": len(case.train),
            "judged": len(judged),
            "boxes": sum(len(case.data.boxes(int(i)) or ()) for i in judged),
        }


def _maps(local: Floats | None) -> Floats:
    if local is None:
        raise InputError("this detector makes no maps, and pairs are judged by them; name another")
    return local


def _learned(name: str) -> bool:
    return hashlib.sha256(name.encode()).digest()[0] % 2 == 0


def _learn(case: Case, step: Step) -> Learned:
    marked = road("image").defects(case.data, case.train, case.x.shape[1:3])
    scorer = fit(case.plan, step, case.encoder, case.x, case.items, defects=marked).scorer
    level = _level(case, scorer.held_out.local)

    def scored() -> Scored:
        found = case.scored(Fitted(scorer.held_out, scorer.score))
        return Outlined(found.index, found.item, found.local, level=level)

    return Learned(scored)


def _level(case: Case, local: Floats | None) -> float:
    """The quantile of held-out pixels that gives the highest F-score on pairs that are learned from."""
    local = _maps(local)
    some = np.linspace(0, len(local) - 1, min(TUNED, len(local))).astype(int)
    at = _full(case, case.train[some], local[some])
    values = np.concatenate([at(k)[::8, ::8].ravel() for k in range(len(some))])
    levels = np.quantile(values, QUANTILES)
    return float(max(levels, key=lambda level: _box_f1(case, case.train[some], at, level) or 0.0))


def _full(case: Case, index: Indices, local: Floats) -> Callable[[int], Floats]:
    way = road("image")
    return lambda k: way.full_map(case.data, int(index[k]), local[k])


def _box_f1(case: Case, index: Indices, map_at: Callable[[int], Floats], level: float) -> float | None:
    return box_f1(
        ([region.box for region in regions(map_at(k), level)], [box[:4] for box in case.data.boxes(int(i)) or ()])
        for k, i in enumerate(index)
    )
