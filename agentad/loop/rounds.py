"""Rounds: generate, verify, adapt, gate, feed back; each a few resumable steps of the run.

::

    run/
        round-2-made-0/ …    what was invented without the first, second, … fold, which the gate asks about
        round-2-made-all/    what was invented from all known anomalies: images with masks or rows, manifest.jsonl
        round-2/             round.json; scores of real items by detectors that have not seen them; if adopted, detector/

With real anomalies the first round learns from these alone. Every later one adds what it invents to what adopted rounds
have invented before. A round that is not adopted leaves nothing behind but its record.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter

from agentad.detectors.judged import Judged, joined
from agentad.errors import AgentadError, NotWritable
from agentad.flow import Decision, Mix, Plan, Reliability, Round
from agentad.llm.closed import closed
from agentad.loop.trial import Unseen, folds_of, others, tried, unadapted
from agentad.loop.workshop import Workshop
from agentad.store.atomic import publish, write_json
from agentad.store.runs import RunFolder
from agentad.tools.adapter import adapted, save_adapter
from agentad.tools.fitted import FittedDetector, make
from agentad.tools.road import Progress

ALL = "all"
_SEED = 7919
"""Between the seeds of successive rounds."""
_RELIABILITIES = TypeAdapter(tuple[Reliability, ...])


@dataclass
class Rounds:
    """The rounds of one run, and the detector in place."""

    run: RunFolder
    plan: Plan
    fitted: FittedDetector
    """The detector without an adapter."""
    base: Path
    """Its folder."""
    workshop: Workshop
    before: str
    """Address of what the rounds start from."""
    progress: Progress
    done: list[Round] = field(default_factory=list)

    def __post_init__(self) -> None:
        assert self.plan.loop is not None  # noqa: S101  nobody goes round without a plan for it
        self.loop = self.plan.loop
        self.folds = folds_of(self.workshop.real, self.loop.folds, self.plan.seed)
        self.unseen = unadapted(self.workshop.real, self.folds)
        """Scores of real items by the detector in place, where it has not seen them."""
        self.adopted: list[int] = []
        """Numbers of the rounds whose inventions are learned from."""
        self.detector = self.base
        """Folder of the detector in place."""
        self._memory: dict[tuple[int, str], Judged] = {}

    def take(self, mix: Mix | None) -> Round:
        """The next round, which invents what `mix` says; None: it learns from real anomalies alone."""
        number = len(self.done) + 1
        name = f"round-{number}"
        self.before = self.run.step(
            name, [self.before, mix and mix.model_dump(mode="json")], partial(self._work, number, mix)
        )
        found = closed(Round, self.run.read(f"{name}/round.json"), name)
        if found.decision.adopted:
            self.detector = self.run.path / name / "detector"
            self.unseen = _read_unseen(self.run.path / name / "unseen", self.unseen)
            if mix is not None:
                self.adopted.append(number)
        self.done.append(found)
        return found

    def _work(self, number: int, mix: Mix | None, folder: Path) -> None:
        told = _Told()
        try:
            found = self._tried(number, mix, told)
            decision = self._decided(found)
        except NotWritable:
            raise
        except AgentadError as error:  # a generator or head that fails costs its round, not the run
            found, decision = None, Decision(adopted=False, metric=self.loop.metric, why=f"The round failed: {error}")
        made = 0
        if found is not None:
            _save_unseen(found, folder / "unseen")
            if decision.adopted:
                made = self._adopt(number, mix, folder / "detector", told)
        generator = self.loop.generator if mix is not None else None
        record = Round(
            number=number,
            generator=generator and generator.tool,
            head=self.loop.head.tool,
            mix=mix,
            made=made or told.made,
            rejected=told.rejected,
            dropped=told.dropped,
            reliabilities=told.reliabilities,
            decision=decision,
            spots=self._spots(found if decision.adopted and found is not None else self.unseen),
        )
        write_json(folder / "round.json", record.model_dump(mode="json"))

    def _tried(self, number: int, mix: Mix | None, told: _Told) -> Unseen:
        return tried(
            self.workshop.real,
            self.folds,
            lambda: make(self.loop.head),
            lambda k: self._invented(number, mix, k, told),
            seed=self.plan.seed,
            progress=partial(self.progress, f"round {number}: trying"),
        )

    def _invented(self, number: int, mix: Mix | None, k: int | None, told: _Told) -> Judged | None:
        """What the head of the k-th fold, or of None, is taught by beside real items."""
        rounds = [*self.adopted, number] if mix is not None else self.adopted
        parts = [self._made(n, mix if n == number else self.done[n - 1].mix, k, told) for n in rounds]
        given = [part for part in parts if part is not None and len(part)]
        return joined(given) if given else None

    def _made(self, number: int, mix: Mix | None, k: int | None, told: _Told) -> Judged | None:
        real = self.workshop.real
        known = np.arange(len(real.known)) if k is None else others(real, self.folds[k])[1]
        if len(real.known) and not len(known):
            return None  # the only known anomaly is in this fold
        part = ALL if k is None or not len(real.known) else str(k)
        name = f"round-{number}-made-{part}"

        def work(folder: Path) -> None:
            assert mix is not None  # noqa: S101  only rounds that invent have made something
            seed = self.plan.seed + _SEED * number
            made = self.workshop.invent(
                known, mix, self.loop.count, seed=seed, progress=lambda what, *at: self.progress(f"{name}: {what}", *at)
            )
            self.workshop.save(made, folder)
            record = {
                "made": len(made.judged),
                "rejected": dict(made.rejected),
                "dropped": made.dropped,
                "reliabilities": _RELIABILITIES.dump_python(made.reliabilities, mode="json"),
            }
            write_json(folder / "made.json", record)
            self._memory[number, part] = made.judged

        inputs = [self.base_key, number, mix and mix.model_dump(mode="json"), known.tolist()]
        self.run.step(name, inputs, work)
        if (number, part) not in self._memory:
            self._memory[number, part] = self.workshop.load(self.run.path / name)
        if number == len(self.done) + 1:
            told.add(self.run.read(f"{name}/made.json"))
        return self._memory[number, part]

    @property
    def base_key(self) -> str:
        """What decides an invention besides its mix: the data, the detector and the plan, not the rounds before."""
        return self._base_key

    def _decided(self, found: Unseen) -> Decision: ...

    def _adopt(self, number: int, mix: Mix | None, folder: Path, told: _Told) -> int:
        """Write the detector that all real anomalies teach, and what was invented from them; how much that was."""
        real = self.workshop.real
        invented = self._invented(number, mix, None, told)
        head = make(self.loop.head).fit(real.normal, real.known, invented, seed=self.plan.seed)
        for path in sorted(self.base.rglob("*")):
            if path.is_file():
                own = folder / path.relative_to(self.base)
                own.parent.mkdir(parents=True, exist_ok=True)
                publish(path, own)
        save_adapter(adapted(self.fitted, self.loop.head, head), folder)
        return len(self._memory[number, ALL]) if mix is not None else 0
