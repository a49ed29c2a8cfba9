"""What a configuration of the loop's bench learns, and what it says of the judged items."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

from agentad.bench.case import Learned
from agentad.bench.cost import timed
from agentad.bench.generation import told
from agentad.bench.loop_case import LoopCase
from agentad.detectors.base import Scores
from agentad.detectors.judged import Head
from agentad.flow import Loop, Mix
from agentad.loop.rounds import Rounds
from agentad.planning.critic import RulesCritic
from agentad.planning.strategies import Review
from agentad.steps.adapt import go_round
from agentad.steps.score import Scored
from agentad.store.runs import RunFolder
from agentad.tools.adapter import load
from agentad.tools.fitted import make, save
from agentad.tools.road import Progress

How = Literal["unsupervised", "real", "invented", "rounds"]


@dataclass
class Told(Scored):
    """Scores, and what else a row says."""

    said: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Lesson:
    """What is to be learned."""

    case: LoopCase
    loop: Loop
    shots: int
    how: How
    """`unsupervised`: nothing; `real`: from real anomalies alone; `invented`: from these and one lot of invented ones,
    without a gate; `rounds`: through the loop and its gate."""
    progress: Progress

    def learn(self) -> Learned:
        """Do it."""
        if self.how == "unsupervised":
            return Learned(lambda: self._scored(self.case.judged().scores, {}))
        return self._rounds() if self.how == "rounds" else self._at_once()

    def _at_once(self) -> Learned:
        case = self.case
        workshop = case.workshop(self.loop, self.shots, self.progress)
        made, invent_s = None, 0.0
        if self.how == "invented":
            known = np.arange(len(workshop.real.known))
            mix, count = _first_mix(workshop.real.kinds), self.loop.count
            seed = case.plan.seed
            made, invent_s = timed(lambda: workshop.invent(known, mix, count, seed=seed, progress=self.progress))
        head: Head = make(self.loop.head)
        real, more = workshop.real, None if made is None else made.judged
        head, head_s = timed(lambda: head.fit(real.normal, real.known, more, seed=case.plan.seed))
        said = {} if made is None else told(made, real, case.judged(), self._labels, self._kinds)
        return Learned(partial(self._ranked, head, said), {"invent_s": invent_s, "head_s": head_s})

    def _rounds(self) -> Learned:
        case = self.case
        workshop = case.workshop(self.loop, self.shots, self.progress)
        plan = case.plan.model_copy(update={"loop": self.loop})
        with tempfile.TemporaryDirectory(prefix="agentad-bench-") as root:
            run = RunFolder(Path(root) / "run")
            with run.held():
                base = run.path / "fit" / "detector"
                save(case.fitted, base)
                rounds = Rounds(run, plan, case.fitted, base, workshop, case.data, "bench", self.progress)
                stopped = go_round(rounds, RulesCritic(rounds.loop.feedback))
                adopted = rounds.detector != base
                head = load(rounds.detector).scorer.head if adopted else None  # type: ignore[attr-defined]
                spent = run.timings()
        invent_s = sum(own["cpu_seconds"] for name, own in spent.items() if "-made-" in name)
        whole_s = sum(own["cpu_seconds"] for name, own in spent.items() if name.removeprefix("round-").isdigit())
        said = {
            "rounds": [
                {
                    "number": one.number,
                    "made": one.made,
                    "rejected": one.rejected,
                    "dropped": one.dropped,
                    "adopted": one.decision.adopted,
                    "before": one.decision.before,
                    "after": one.decision.after,
                    "p": one.decision.p_value,
                    "why": one.decision.why,
                }
                for one in rounds.done
            ],
            "adopted": sum(one.decision.adopted for one in rounds.done),
            "stopped": stopped,
        }
        return Learned(partial(self._ranked, head, said), {"invent_s": invent_s, "head_s": whole_s - invent_s})

    def _ranked(self, head: Head | None, said: Mapping[str, Any]) -> Told:
        judged = self.case.judged()
        return self._scored(judged.scores if head is None else head.score(judged), said)

    def _scored(self, scores: Scores, said: Mapping[str, Any]) -> Told:
        result = Told(self.case.test, np.full(len(self.case.test), np.nan))
        result.put(self.case.test, scores)
        result.said.update(said)
        return result

    @property
    def _labels(self) -> Any:
        return self.case.labels

    @property
    def _kinds(self) -> Any:
        return self.case.data.items.kind[self.case.test]


def _first_mix(kinds: Any) -> Mix:
    """What a run's first round of invention makes."""
    review = Review(kinds=tuple(sorted({str(kind) for kind in kinds if kind})))
    return RulesCritic("even").advise(review).mix or Mix()
