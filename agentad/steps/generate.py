"""More anomalies from a finished run, to somebody's conditions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np

from agentad.errors import Infeasible, InputError, PlanRejected
from agentad.flow import Brief, Constraint, Generation, Loop, Mix, Portion, Reliability, Step, SyntheticImage
from agentad.generators.conditions import conditions_from_words
from agentad.generators.images.conditions import brief_from_words
from agentad.loop.delivery import deliver_images, deliver_rows
from agentad.loop.workshop import Made, Workshop, workshop
from agentad.modalities.shots import set_apart
from agentad.modalities.shown import shown
from agentad.modalities.table.conditions import checked as checked_conditions
from agentad.planning.choose import choose
from agentad.planning.invention import impossible
from agentad.planning.situation import Situation
from agentad.planning.validate import validate
from agentad.steps.prepare import fetch_weights
from agentad.steps.session import Session
from agentad.store.address import stat_fingerprint
from agentad.store.atomic import write_json
from agentad.tools.adapter import load
from agentad.tools.cards import load_cards
from agentad.tools.road import Indices, road
from agentad.tools.scored import load_scores

MARK = "generated.json"
"""What a folder of ours is known by."""
PASSES = 4
"""How often what is still missing is asked for again."""
DRAWN = "manipulated-normals"
_NEXT = 104_729
"""Between the seeds of successive passes."""


@dataclass
class Maker:
    """What a finished run has that anomalies can be invented from."""

    session: Session
    generator: str | None = None
    """Name of a card; None: the plan's generator, or the one that the rules choose."""
    verify: bool = True
    conditions: tuple[Constraint, ...] = ()
    """Rows: what every one has to be."""

    def __post_init__(self) -> None:
        data = Path(self.session.request.data)
        if stat_fingerprint(data) != self.session.run.request().data:
            raise InputError(
                f"{shown(data)} has changed since run {self.session.run.name} was made; run again on it first"
            )
        reason = impossible(self.situation, self.session.plan.training)
        if reason is not None:
            raise Infeasible(f"{shown(data)}: no anomalies can be invented: {reason}")

    @cached_property
    def situation(self) -> Situation:
        """The run's request before its data."""
        session = self.session
        available = fetch_weights(session.profile.modality, session.progress)
        return Situation(session.request, session.profile, load_cards(), available)

    @cached_property
    def known(self) -> Indices:
        """Positions of the real anomalies to invent from: those the rounds learned from, or all that can be."""
        session = self.session
        if session.plan.loop is not None:
            return session.split.known
        items = session.data.items
        learnable = road(session.plan.modality).learnable(session.data)
        return set_apart(session.split, items, shots=len(items), seed=session.plan.seed, learnable=learnable).known

    @property
    def kinds(self) -> tuple[str, ...]:
        """Their types."""
        return tuple(sorted({str(kind) for kind in self.session.data.items.kind[self.known] if kind}))

    @cached_property
    def loop(self) -> Loop:
        """A loop with the generator in question.

        Raises:
            InputError: there is no such generator, or not for this data.
            Infeasible: the rules find none.
        """
        plan, situation = self.session.plan, self.situation
        given = plan.loop
        if self.generator is not None:
            generator = Step(tool=self.generator)
        elif given is not None and given.generator is not None:
            generator = given.generator
        else:
            generator = choose("generator", situation, plan.training)
        head = given.head if given is not None else choose("head", situation, plan.training)
        loop = Loop(head=head, generator=generator, verify=self.verify, conditions=self.conditions)
        asked = plan.model_copy(update={"loop": loop})
        try:
            whole = validate(asked, self.session.request, situation.profile, situation.cards, available=None).loop
        except PlanRejected as error:
            raise InputError(f"run {self.session.run.name}: {error}") from error
        assert whole is not None  # noqa: S101  the plan was given one
        return whole

    @property
    def step(self) -> Step:
        """The generator."""
        assert self.loop.generator is not None  # noqa: S101  see `loop`
        return self.loop.generator

    @cached_property
    def workshop(self) -> Workshop:
        """Where anomalies are invented. The verifiers go by the detector as it was before any round."""
        session = self.session
        index, scores = load_scores(session.folder("fit") / "held_out" / session.plan.detector.tool)
        if not len(index):
            raise InputError(f"run {session.run.name} was made by an older agentad that kept too little; run again")
        fitted = load(session.folder("fit") / "detector")
        return workshop(
            session.plan.modality,
            self.loop,
            fitted,
            session.data,
            (index, scores),
            self.known,
            seed=session.plan.seed,
            progress=session.progress,
        )


@dataclass
class _Batch:
    """What has been made so far."""

    origins: list[Any] = field(default_factory=list)
    what: list[Any] = field(default_factory=list)
    rejected: Counter[str] = field(default_factory=Counter)
    reliabilities: tuple[Reliability, ...] = ()

    def add(self, made: Made, wanted: Brief | None) -> int:
        """Take over what is as wanted; how much that was."""
        self.rejected.update(made.rejected)
        self.reliabilities = self.reliabilities or made.reliabilities
        kept = 0
        if wanted is None:
            self.what += made.what
        for k, origin in enumerate(made.origins):
            if wanted is not None and isinstance(origin, SyntheticImage) and not _still(origin.brief, wanted):
                self.rejected["conditions"] += 1
                continue
            name = f"{len(self.origins):05}"
            self.origins.append(origin.model_copy(update={"id": name}))
            kept += 1
            if wanted is not None:
                self.what.append(made.what[k])
        return kept


def _still(brief: Brief, wanted: Brief) -> bool:
    """Whether what was made after rejections is still what was asked for."""
    free = Brief()
    low, high = wanted.strength
    strong = wanted.strength == free.strength or low <= brief.strength[0] <= brief.strength[1] <= high
    return strong and (wanted.place is None or brief.place == wanted.place)


def generated(
    session: Session,
    folder: Path,
    *,
    count: int,
    conditions: Sequence[str],
    layout: Literal["plain", "mvtec"],
    generator: str | None,
    seed: int,
) -> Generation:
    """Write `count` invented anomalies, or as many as can be found, into the empty `folder`; see `loop.delivery`.

    Raises:
        InputError: conditions or a generator that do not fit the data; data that has changed.
        Infeasible: nothing was found, or nothing can be invented here.
    """
    images = session.plan.modality == "image"
    if layout == "mvtec" and not images:
        raise InputError("the mvtec layout is for images, and this run is of rows; leave --layout out")
    maker, notes = Maker(session, generator), list[str]()
    wanted = _image_brief(maker, conditions, notes) if images else None
    if not images:
        maker.conditions = _row_conditions(session, conditions)
    batch = _made(maker, count, wanted, seed)
    if not batch.origins:
        why = ", ".join(f"{name} {times}" for name, times in batch.rejected.most_common()) or "nothing fits"
        raise Infeasible(
            f"{maker.step.tool} found nothing that meets the conditions and passes the verifiers (rejected: {why}); "
            "ask under weaker conditions, or with another --generator"
        )
    if images:
        deliver_images(batch.origins, batch.what, folder, mvtec=layout == "mvtec")
    else:
        deliver_rows(batch.origins, batch.what, folder, csv=session.profile.layout == "csv")
    if len(batch.origins) < count:
        notes.append(f"Only {len(batch.origins)} of {count} meet the conditions and pass the verifiers.")
    if len(maker.known):
        notes.append(
            f"Made from {len(maker.known)} real anomalies and from normal items that the detector learned from: do not "
            "judge a detector on these."
        )
    found = Generation(
        run=session.run.name,
        layout=layout,
        generator=maker.step,
        conditions=tuple(conditions),
        seed=seed,
        asked=count,
        made=len(batch.origins),
        anomalies=len(maker.known),
        rejected=dict(sorted(batch.rejected.items())),
        reliabilities=batch.reliabilities,
        notes=tuple(notes),
    )
    write_json(folder / MARK, found.model_dump(mode="json", exclude={"dir"}))
    return found


def _made(maker: Maker, count: int, wanted: Brief | None, seed: int) -> _Batch:
    batch, ask = _Batch(), count
    places = np.arange(len(maker.known))
    mix = Mix() if wanted is None else Mix(portions=(Portion(brief=wanted),))
    for k in range(PASSES):
        maker.session.progress("generating", len(batch.origins), count)
        try:
            own = seed + _NEXT * k
            made = maker.workshop.invent(places, mix, ask, seed=own, progress=maker.session.progress)
        except Infeasible:
            ask = max(ask // 4, 1)  # rows are found all or not at all
            continue
        batch.add(made, wanted)
        ask = count - len(batch.origins)
        if ask <= 0:
            break
    maker.session.progress("generating", len(batch.origins), count)
    return batch


def _image_brief(maker: Maker, conditions: Sequence[str], notes: list[str]) -> Brief:
    """What the conditions ask for; a shape that is asked for as a type is drawn, by the generator that draws."""
    brief = brief_from_words(conditions, maker.kinds)
    named = [text.partition("=")[2].strip() for text in conditions if text.partition("=")[0].strip() == "type"]
    if named and brief.kind is None:
        if maker.generator is None and DRAWN not in maker.situation.excluded:
            maker.generator = DRAWN
        notes.append(f"No real anomaly is of type {named[0]}: it is drawn, not like a real one.")
    card = maker.situation.cards[maker.step.tool]
    if brief.text is not None and "text" not in card.conditioning:
        raise InputError(f"{card.name} does not read text; leave text= out, or give a --generator that does")
    return brief


def _row_conditions(session: Session, conditions: Sequence[str]) -> tuple[Constraint, ...]:
    table = session.profile.table
    columns = table.columns if table else ()
    found = tuple(one for text in conditions for one in conditions_from_words(text, columns))
    checked_conditions(found, load(session.folder("fit") / "detector").encoder)
    return found
