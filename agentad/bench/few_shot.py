"""The protocol `few-shot`: what a few labelled anomalies are worth, and what inventing more of them adds.

Half of the normal rows and k anomalies are learned from. Whatever k, the same rows are judged: the other normal ones,
and the anomalies that no k learns from. One detector without labels is fitted and one head taught throughout, so that
generators differ in the rows they invent and in nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from agentad.bench.case import Case, Learned, encoded
from agentad.bench.cost import Cost, timed
from agentad.bench.few_case import FewCase, drawn, with_anomalies
from agentad.bench.kept import Row, Shots
from agentad.bench.methods import DEFAULT, Method
from agentad.bench.table_suite import Tables
from agentad.detectors.base import Floats
from agentad.detectors.few_label import FewLabelHead
from agentad.detectors.judged import Judged
from agentad.errors import Infeasible
from agentad.flow import DataProfile, Request, Step
from agentad.generators import generate_rows
from agentad.generators.base import RowGenerator
from agentad.planning.choose import choose
from agentad.planning.situation import Cards, Kind, Situation
from agentad.steps.score import Scored
from agentad.tools.cards import load_cards
from agentad.tools.fitted import make
from agentad.tools.road import Progress

HEAD = "few-label-head"
UNSUPERVISED, FEW_REAL, CONTROL = "unsupervised", "few-real", "gaussian-rows"
INVENTED = 300
"""Rows that a generator adds to the real anomalies."""
LEAST_JUDGED = 10
"""Anomalies. An average precision over fewer says little."""


class FewShot(Tables):
    """The suite `tables` with labelled anomalies."""

    metrics: tuple[str, ...] = ("ap", "auroc")
    parts: tuple[str, ...] = ("detector_s", "invent_s", "head_s")
    kind: Kind = "generator"

    def __init__(self, shots: tuple[int, ...], max_rows: int) -> None:
        super().__init__("semi", max_rows)
        self.baselines, self.on_request = (UNSUPERVISED, FEW_REAL, CONTROL), ()
        self.shots: tuple[Shots, ...] = shots
        self.options = {"protocol": "few-shot", "shots": list(shots), "max_rows": max_rows}
        self._most = max(shots)
        self._cards = load_cards()

    def refusal(self, data: Any) -> str | None:
        """Besides, there have to be enough anomalies to learn from and to judge."""
        facts: DataProfile = data.profile
        reason = super().refusal(data)
        if reason is None and facts.anomalous < self._most + LEAST_JUDGED:
            return f"{facts.anomalous} anomalies; {self._most} to learn from and {LEAST_JUDGED} to judge are needed"
        return reason

    def case(self, data: Any, seed: int, before: Case | None, progress: Progress) -> FewCase:
        """As in `semi`, less the anomalies that are learned from and the rows of their groups."""
        plan, train, test = self.split(data, seed)
        known = test[drawn(data.items.take(test), self._most, seed)]
        group = data.items.group
        judged = test[~np.isin(group[test], group[known])]
        left = int((data.items.label[judged] == 1).sum())
        if len(known) < self._most or left < LEAST_JUDGED:
            raise Infeasible(
                f"{len(known)} different anomalies to learn from and {left} others to judge after the split, at least "
                f"{self._most} and {LEAST_JUDGED} are needed"
            )
        return with_anomalies(encoded(plan, data, train, judged, progress), known)

    def method(self, name: str, case: Case, shots: Shots) -> Method:
        """The detector without labels, or the head taught by real anomalies and perhaps those a generator invents."""
        assert isinstance(case, FewCase) and shots is not None  # noqa: S101  this suite's own
        cards = self._cards
        if name == UNSUPERVISED:
            tool = case.plan.detector.tool
            return Method(tool, cards[tool].diffusion, name, lambda: Learned(case.unsupervised))
        step = None
        if name != FEW_REAL:
            step = chosen_generator(case, shots, cards) if name == DEFAULT else Step(tool=name)
        tool = HEAD if step is None else step.tool
        # made here, so that the time that imports take is not counted as learning
        lesson = Lesson(
            case=case,
            shots=shots,
            head=make(Step(tool=HEAD), cards),
            step=step,
            generator=None if step is None else make(step, cards),
        )
        same = f"{shots} {tool} {[] if step is None else sorted(step.params.items())}"
        return Method(tool, cards[tool].diffusion, same, lesson.learn)

    def row(self, case: Case, scored: Scored, cost: Cost) -> Row:
        """As in `semi`. Every method is charged for the detector, although it was fitted once for all."""
        assert isinstance(case, FewCase)  # noqa: S101  this suite's own
        spent = {"detector_s": case.detector_s, "invent_s": 0.0, "head_s": 0.0, **cost.parts}
        whole = {"fit_s": case.detector_s + cost.fit_s, "score_s": case.said_s + cost.score_s}
        return super().row(case, scored, cost) | {key: round(value, 4) for key, value in (whole | spent).items()}


@dataclass(frozen=True)
class Lesson:
    """What a head is to be taught."""

    case: FewCase
    shots: int
    head: FewLabelHead
    step: Step | None
    """Names the generator; None for real anomalies alone."""
    generator: RowGenerator | None

    def learn(self) -> Learned:
        """Invent anomalies, if any, and teach the head."""
        invented, invent_s = timed(self._invented)
        head, head_s = timed(lambda: self._taught(invented))
        return Learned(partial(self.case.ranked, head), {"invent_s": invent_s, "head_s": head_s})

    def _invented(self) -> Floats | None:
        if self.step is None or self.generator is None:
            return None
        case = self.case
        made = generate_rows(
            self.generator,
            case.encoder,
            normal=case.normal_rows,
            anomalous=case.real_rows.take(np.arange(self.shots)),
            columns=case.data.profile.table.columns,
            n=INVENTED,
            tool=self.step.tool,
            params=self.step.params,
            seed=case.plan.seed,
        )
        return made.encoded

    def _taught(self, invented: Floats | None) -> FewLabelHead:
        case = self.case
        more = None if invented is None else Judged(invented, case.detector.score(invented))
        return self.head.fit(case.normal, case.first(self.shots), more, seed=case.plan.seed)


def chosen_generator(case: FewCase, shots: int, cards: Cards) -> Step:
    """The generator that the rule planner takes for the rows to learn from."""
    counts = {"items": len(case.train) + shots, "normal": len(case.train), "anomalous": shots, "unlabelled": 0}
    profile = case.data.profile.model_copy(update=counts)
    request = Request(text="", data=profile.root, seed=case.plan.seed)
    return choose("generator", Situation(request, profile, cards), case.plan.training)
