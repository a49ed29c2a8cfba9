"""Rounds: generate, verify, adapt, gate, feed back; each a few resumable steps of the run.

::

    run/
        round-2-made-0/ …    what was invented without the first, second, … fold, which the gate asks about
        round-2-made-all/    what was invented from all known anomalies: images with masks or rows, manifest.jsonl
        round-2/             round.json; scores of real items by heads that have not seen them; if adopted, detector/

With real anomalies the first round learns from these alone. Every later one adds what it invents to what adopted rounds
have invented before. A round that is not adopted leaves nothing behind but its record.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from agentad.detectors.base import Floats, Scores
from agentad.detectors.base import joined as joined_scores
from agentad.detectors.judged import Head, Judged, joined
from agentad.errors import AgentadError, Infeasible, NotWritable
from agentad.flow import Decision, Mix, Plan, Reliability, Round, Spot
from agentad.llm.closed import closed
from agentad.loop.feedback import Marks, cells, spots
from agentad.loop.gate import decide, no_harm
from agentad.loop.trial import Unseen, folds_of, others, tried, unadapted
from agentad.loop.workshop import Workshop, source_normals
from agentad.metrics.pixels import Tally, tally
from agentad.planning.critic import Advice, Critic
from agentad.planning.strategies import Review
from agentad.store.arrays import load_state, save_state
from agentad.store.atomic import publish_folder, write_json
from agentad.store.runs import RunFolder
from agentad.tools.adapter import adapted, save_adapter
from agentad.tools.fitted import FittedDetector, make
from agentad.tools.road import Indices, Progress, road
from agentad.tools.scored import save_scores

ALL = "all"
FIRST = 2 / 3
"""The first round's part of the level, the others share the rest: of .05, just enough for five anomalies to prove that
learning from them helps, which it does more than anything that comes after."""
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
    data: Any
    start: str
    """Address of what the rounds start from."""
    progress: Progress
    done: list[Round] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.before = self.start
        assert self.plan.loop is not None  # noqa: S101  nobody goes round without a plan for it
        self.loop = self.plan.loop
        self.metric = self.loop.metric or ("pixel_ap" if self.plan.modality == "image" else "ap")
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
        head = None
        try:
            found = self._tried(number, mix)
            decision = self._decided(found)
            if decision.adopted:
                head = self._taught(number, mix)
        except NotWritable:
            raise
        except AgentadError as error:  # a generator or head that fails costs its round, not the run
            found, decision = None, Decision(adopted=False, metric=self.metric, why=f"The round failed: {error}")
        if found is not None:
            _save_unseen(found, folder / "unseen")
            if head is not None:
                self._adopt(head, folder / "detector", found)
        generator = self.loop.generator if mix is not None else None
        record = Round(
            number=number,
            generator=None if generator is None else generator.tool,
            head=self.loop.head.tool,
            mix=mix,
            **self._record(number),
            decision=decision,
            spots=self._spots(found if decision.adopted and found is not None else self.unseen),
        )
        write_json(folder / "round.json", record.model_dump(mode="json"))

    def _record(self, number: int) -> dict[str, Any]:
        """What was made for a round: to be learned from if it was adopted, else without the first fold that had any."""
        parts = (ALL, *map(str, range(len(self.folds))))
        names = (f"round-{number}-made-{part}" for part in parts)
        found = next((name for name in names if self.run.key(name)), None)
        if found is None:
            return {}
        record = dict(self.run.read(f"{found}/made.json"))
        return record | {"reliabilities": _RELIABILITIES.validate_python(record["reliabilities"])}

    def advised(self, critic: Critic) -> Advice:
        """What the next round is to invent. The critic is asked once; the run remembers the answer."""
        name = f"round-{len(self.done)}-advice"

        def work(folder: Path) -> None:
            said = critic.advise(self._review(), seed=self.plan.seed + len(self.done))
            mix = None if said.mix is None else said.mix.model_dump(mode="json")
            write_json(folder / "advice.json", {"mix": mix, "why": said.why, "critic": said.critic})

        self.run.step(name, self.before, work)
        found = self.run.read(f"{name}/advice.json")
        return Advice(found["mix"] and closed(Mix, found["mix"], name), found["why"], found["critic"])

    def _review(self) -> Review:
        last, real = (self.done[-1] if self.done else None), self.workshop.real
        kinds = tuple(sorted({str(kind) for kind in real.kinds if kind}))
        if last is None:
            return Review(kinds=kinds)
        marked = self.workshop.marked
        return Review(
            spots=last.spots,
            kinds=kinds,
            previous=last.mix,
            made=last.made,
            rejected=last.rejected,
            adopted=tuple(one.decision.adopted for one in self.done),
            cells=() if marked is None else cells([str(kind) for kind in real.kinds], marked),
            masks=marked is not None,
        )

    def _spots(self, found: Unseen) -> tuple[Spot, ...]:
        """Where the detector that gave these scores is wrong, at a threshold from its own scores of normal items."""
        real, n = self.workshop.real, len(found.normal)
        index = np.concatenate([real.normal_index[found.normal], real.known_index])
        marked = self.workshop.marked
        if marked is not None:
            marked = Marks(
                np.concatenate([np.full(n, np.nan), marked.area]),
                np.concatenate([np.full((n, 2), np.nan), marked.middle]),
                np.concatenate([np.full(n, np.nan), marked.contrast]),
            )
        items = self.data.items
        return spots(
            found.scores.item,
            found.labels,
            [str(kind) for kind in items.kind[index]],
            [str(name) for name in items.id[index]],
            self._threshold(found.scores.item[:n]),
            marked=marked,
        )

    def _tried(self, number: int, mix: Mix | None) -> Unseen:
        return tried(
            self.workshop.real,
            self.folds,
            lambda: make(self.loop.head),
            lambda k: self._invented(number, mix, k),
            seed=self.plan.seed,
            progress=partial(self.progress, f"round {number}: trying"),
        )

    def _invented(self, number: int, mix: Mix | None, k: int | None) -> Judged | None:
        """What the head of the k-th fold, or of None, is taught by beside real items."""
        rounds = [*self.adopted, number] if mix is not None else self.adopted
        parts = [self._made(n, mix if n == number else self.done[n - 1].mix, k) for n in rounds]
        given = [part for part in parts if part is not None and len(part)]
        return joined(given) if given else None

    def _made(self, number: int, mix: Mix | None, k: int | None) -> Judged | None:
        real = self.workshop.real
        known = np.arange(len(real.known)) if k is None else others(real, self.folds[k])
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
            if not len(made.judged):
                raise Infeasible("no invented item passed; ask for others, or invent with another generator")
            self.workshop.save(made, folder)
            record = {
                "made": len(made.judged),
                "rejected": dict(made.rejected),
                "dropped": made.dropped,
                "reliabilities": _RELIABILITIES.dump_python(made.reliabilities, mode="json"),
            }
            write_json(folder / "made.json", record)
            self._memory[number, part] = made.judged

        inputs = [self.start, number, mix and mix.model_dump(mode="json"), known.tolist()]
        self.run.step(name, inputs, work)
        if (number, part) not in self._memory:
            self._memory[number, part] = self.workshop.load(self.run.path / name)
        return self._memory[number, part]

    def _decided(self, found: Unseen) -> Decision:
        real, data = self.workshop.real, self.data
        normal, rare = real.normal_index[found.normal], real.known_index
        group = data.items.group
        before, after = self.unseen.scores.item, found.scores.item
        n = len(normal)
        if not len(rare):
            drawn = source_normals(group[normal], seed=self.plan.seed)  # the others are compared at these thresholds
            thresholds = (self._threshold(before[:n][drawn]), self._threshold(after[:n][drawn]))
            parts = (before[:n][~drawn], after[:n][~drawn], group[normal][~drawn])
            return no_harm(*parts, thresholds, level=self.loop.level)
        index = np.concatenate([normal, rare])
        return decide(
            before,
            after,
            found.labels,
            group[index],
            metric=self.metric,
            seed=self.plan.seed,
            level=self._level,
            folds=found.fold,
            kinds=[str(kind) for kind in data.items.kind[index]],
            pixels=self._tallies(index, found),
        )

    @property
    def _level(self) -> float:
        """What this round is decided at, such that the chance of adopting anything useless stays at the plan's level.

        By the fallback procedure (Wiens 2003, https://doi.org/10.1002/pst.64): every round has a part of the level (see
        `FIRST`), and one that is adopted hands on what it was decided at.
        """
        if self.loop.rounds == 1:
            return self.loop.level
        level = FIRST * self.loop.level
        for one in self.done:
            level = (level if one.decision.adopted else 0) + (1 - FIRST) * self.loop.level / (self.loop.rounds - 1)
        return level

    def _threshold(self, normal: Floats) -> float:
        return float(np.quantile(normal, 1 - self.plan.target_far))

    def _tallies(self, index: Indices, found: Unseen) -> tuple[Tally, Tally] | None:
        """The pixels of both detectors' maps; None where items have no maps."""
        maps = [local for local in (self.unseen.scores.local, found.scores.local) if local is not None]
        if self.plan.modality != "image" or len(maps) < 2:
            return None
        kinds = [
            str(kind) if label else None for kind, label in zip(self.data.items.kind[index], found.labels, strict=True)
        ]
        first, second = (
            tally(
                len(index),
                partial(self._map_at, index, local),
                lambda k: self.data.mask(int(index[k])),
                kinds,
            )
            for local in maps
        )
        return first, second

    def _map_at(self, index: Indices, local: Floats, k: int) -> Floats:
        return road(self.plan.modality).full_map(self.data, int(index[k]), local[k])

    def _taught(self, number: int, mix: Mix | None) -> Head:
        """A head that all real anomalies teach, and what was invented from them."""
        real, invented = self.workshop.real, self._invented(number, mix, None)
        head: Head = make(self.loop.head).fit(real.normal, real.known, invented, seed=self.plan.seed)
        return head

    def _adopt(self, head: Head, folder: Path, found: Unseen) -> None:
        """Write the detector with this head, and beside it scores of what it learned from by heads that had not."""
        real = self.workshop.real
        publish_folder(self.base, folder)
        save_adapter(adapted(self.fitted, self.loop.head, head), folder)
        unseen = found.scores.take(np.arange(len(found.normal), len(found.labels)))
        held_out = [_explained(head.held_out, real.normal.scores), _explained(unseen, real.known.scores)]
        index = np.concatenate([real.normal_index, real.known_index])
        order = np.argsort(index)
        save_scores(folder.parent / "held_out", index[order], joined_scores(held_out).take(order))


def _explained(scores: Scores, base: Scores) -> Scores:
    """Scores by heads that say nothing of where or why, which the detector's own then do."""
    return replace(base, item=scores.item) if scores.local is None else scores


def _save_unseen(found: Unseen, folder: Path) -> None:
    scores = found.scores
    arrays = {"item": scores.item} if scores.local is None else {"item": scores.item, "local": scores.local}
    save_state(folder, arrays, {})


def _read_unseen(folder: Path, like: Unseen) -> Unseen:
    """What `_save_unseen` wrote, of the same items as `like`."""
    arrays, _ = load_state(folder)
    return replace(like, scores=Scores(arrays["item"], arrays.get("local")))
