"""The suites of `bench loop`: images in MVTec's layout, and labelled tables."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import numpy as np

from agentad.bench.case import Case, encoded
from agentad.bench.cost import Cost
from agentad.bench.images import Images
from agentad.bench.kept import Row, Shots
from agentad.bench.loop_case import LoopCase, with_detector
from agentad.bench.loop_lesson import How, Lesson, Told
from agentad.bench.methods import Method
from agentad.bench.table_suite import Tables
from agentad.flow import Loop, Modality, Request, Step
from agentad.metrics import ap, aupro, auroc, by_type, count_pixels, pixel_ap
from agentad.modalities.image.maps import shares
from agentad.planning.choose import choose
from agentad.planning.situation import Cards, Kind, Situation
from agentad.planning.strategies import STRATEGIES
from agentad.steps.evaluate import pixels
from agentad.steps.score import Scored
from agentad.tools.cards import load_cards
from agentad.tools.road import Progress, silent

UNSUPERVISED, FEW_REAL, PASTE, LOOP = "unsupervised", "few-real", "paste", "loop"
UNVERIFIED = "-unverified"
"""Ends the name of a configuration whose invented items nobody looks at."""
PASTING = {"image": "residual-paste", "table": "transplanted-rows"}
"""What carries real anomalies to normal items."""
PARTS = ("detector_s", "invent_s", "head_s")


class Configured:
    """What both suites share: configurations by name."""

    modality: Modality
    kind: Kind = "generator"
    parts: tuple[str, ...] = PARTS
    least = 1
    """Anomalies that have to be left to judge."""
    shots: tuple[Shots, ...]

    def __init__(self, shots: tuple[int, ...], rounds: int, count: int, metric: str | None, progress: Progress) -> None:
        self.shots = shots
        self._cards = load_cards()
        self._loop: dict[str, Any] = {"rounds": rounds, "count": count, "metric": metric}
        self._progress = progress
        self.options = {"shots": list(shots), **self._loop}
        learned = () if max(shots) == 0 else (FEW_REAL, PASTE)
        self.baselines: tuple[str, ...] = (UNSUPERVISED, *learned)
        loops = [f"{LOOP}:{name}" for name in STRATEGIES if name != "feature-gap"]
        unverified = [name + UNVERIFIED for name in (PASTE, *generators(self.modality, self._cards))]
        self.on_request: tuple[str, ...] = (FEW_REAL, PASTE, LOOP, *loops, *unverified)

    def method(self, name: str, case: Case, shots: Shots) -> Method:
        """The configuration called `name`."""
        assert isinstance(case, LoopCase) and shots is not None  # noqa: S101  these suites' own
        loop, how, tool = self._configured(name, case, shots)
        same = f"{how} {shots} {loop.model_dump_json()}" if how != "unsupervised" else how
        lesson = Lesson(case, loop, shots, how, self._progress)
        return Method(tool, self._cards[tool].diffusion, same, lesson.learn)

    def _configured(self, name: str, case: LoopCase, shots: int) -> tuple[Loop, How, str]:
        """The loop, what is done with it, and the tool that makes the difference."""
        head, generator = (_chosen(kind, case, shots, self._cards) for kind in ("head", "generator"))
        loop = Loop(head=head, generator=generator, shots=shots, **self._loop)
        if name == UNSUPERVISED or (name == FEW_REAL and not shots):
            return loop, "unsupervised", case.plan.detector.tool
        if name == FEW_REAL:
            return loop.model_copy(update={"generator": None}), "real", head.tool
        word, _, strategy = name.partition(":")
        if word == LOOP:
            changed = loop.model_copy(update={"feedback": strategy} if strategy else {})
            return changed, "rounds", generator.tool
        plain = name.removesuffix(UNVERIFIED)
        step = Step(tool=PASTING[self.modality] if plain == PASTE else plain)
        if step.tool == generator.tool:
            step = generator
        return loop.model_copy(update={"generator": step, "verify": plain == name}), "invented", step.tool

    def costs(self, case: LoopCase, cost: Cost) -> Row:
        """Every configuration is charged for the detector, although it was fitted once for all."""
        spent = {"detector_s": case.detector_s, "invent_s": 0.0, "head_s": 0.0, **cost.parts}
        part = len(case.test) / max(1, len(case.pool))
        whole = {"fit_s": case.detector_s + cost.fit_s, "score_s": case.said_s * part + cost.score_s}
        return {key: round(value, 4) for key, value in (whole | spent).items()} | {"peak_mb": cost.peak_mb}

    def counts(self, case: LoopCase) -> Row:
        """How many items were learned from and judged."""
        return {"learned": len(case.train), "judged": len(case.test), "anomalous": int((case.labels == 1).sum())}


def generators(modality: Modality, cards: Cards) -> list[str]:
    """Names of the generators for a modality."""
    return [card.name for card in cards.values() if card.kind == "generator" and modality in card.modalities]


def _chosen(kind: Literal["head", "generator"], case: LoopCase, shots: int, cards: Cards) -> Step:
    """The tool that the rule planner takes for the items to learn from."""
    known = len(case.known(shots))
    counts = {"items": len(case.train) + known, "normal": len(case.train), "anomalous": known, "unlabelled": 0}
    profile = case.data.profile.model_copy(update=counts)
    request = Request(text="", data=profile.root, seed=case.plan.seed)
    return choose(kind, Situation(request, profile, cards), case.plan.training)


class LoopImages(Configured, Images):
    """The suite `loop` on images."""

    name = "loop"
    metrics: tuple[str, ...] = ("image_auroc", "image_ap", "pixel_ap", "aupro")
    per_item: tuple[str, ...] = ()

    def __init__(
        self, shots: tuple[int, ...], rounds: int, count: int, metric: str | None, progress: Progress = silent
    ) -> None:
        Images.__init__(self, progress)
        weights = self.options["weights"]
        Configured.__init__(self, shots, rounds, count, metric, progress)
        self.options["weights"] = weights

    def case(self, data: Any, seed: int, before: Case | None, progress: Progress) -> LoopCase:
        """As in the suite `images`, less the anomalies that are learned from and the images of their groups.

        The detector is fitted once for all seeds, if they learn from the same images. Of several `shots` the most
        decide what is judged.
        """
        assert before is None or isinstance(before, LoopCase)  # noqa: S101  this suite's own
        whole = None if before is None else replace(before, test=before.pool)
        case = super().case(data, seed, whole, progress)
        if isinstance(case, LoopCase):
            found = replace(case, workshops={})
        else:
            found = with_detector(case)
            found = replace(found, said=replace(found.said, where=_outlines(found)))
        return replace(found, test=found.without(max(self.shots_asked), self.least))

    @property
    def shots_asked(self) -> list[int]:
        """The numbers of shots."""
        return [shots for shots in self.shots if shots is not None]

    def row(self, case: Case, scored: Scored, cost: Cost) -> Row:
        """Image and pixel metrics, the AUROC of each type, CPU seconds, and what is said of what was invented."""
        assert isinstance(case, LoopCase) and isinstance(scored, Told)  # noqa: S101  this suite's own
        s, y = scored.item, case.labels
        kinds = [str(kind) for kind in case.data.items.kind[case.test]]
        asked = pixels(case.data, "image", case.test, scored.local)
        mask_at = asked["mask_at"]

        def outlined(k: int) -> Any:
            mask = mask_at(k)
            return None if y[k] == 1 and (mask is None or not mask.any()) else mask

        counted = count_pixels(len(y), asked["map_at"], outlined)
        return {
            "image_auroc": auroc(s, y),
            "image_ap": ap(s, y),
            "pixel_ap": pixel_ap(counted),
            "aupro": aupro(counted),
            "by_type": by_type(s, y, kinds, auroc),
            **self.costs(case, cost),
            **self.counts(case),
            **scored.said,
        }


def _outlines(case: LoopCase) -> Any:
    """(p, h, w) which share of each patch is anomalous; nothing where no mask says so."""
    shape = case.said.x.shape[1:3]
    found = np.zeros((len(case.pool), *shape), np.float32)
    for at in np.flatnonzero(case.data.items.label[case.pool] == 1).tolist():
        mask = case.data.mask(int(case.pool[at]))
        if mask is not None:
            found[at] = shares([mask], shape)[0]
    return found


class LoopTables(Configured, Tables):
    """The suite `loop` on tables."""

    name = "loop"
    metrics: tuple[str, ...] = ("ap", "auroc")
    least = 10

    def __init__(
        self,
        shots: tuple[int, ...],
        rounds: int,
        count: int,
        metric: str | None,
        max_rows: int,
        progress: Progress = silent,
    ) -> None:
        Tables.__init__(self, "semi", max_rows)
        Configured.__init__(self, shots, rounds, count, metric, progress)
        self.options["max_rows"] = max_rows

    def case(self, data: Any, seed: int, before: Case | None, progress: Progress) -> LoopCase:
        """As the protocol `semi` of the suite `tables`, less the anomalies that are learned from and their groups."""
        plan, train, test = self.split(data, seed)
        found = with_detector(encoded(plan, data, train, test, progress))
        return replace(found, test=found.without(max(s or 0 for s in self.shots), self.least))

    def row(self, case: Case, scored: Scored, cost: Cost) -> Row:
        """Average precision and AUROC, CPU seconds, and what is said of what was invented."""
        assert isinstance(case, LoopCase) and isinstance(scored, Told)  # noqa: S101  this suite's own
        s, y = scored.item, case.labels
        return {"ap": ap(s, y), "auroc": auroc(s, y), **self.costs(case, cost), **self.counts(case), **scored.said}
