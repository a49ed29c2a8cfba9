"""The critic that asks a language model, and believes it only as far as its mix can be checked."""

from __future__ import annotations

from typing import Any

from pydantic import Field, ValidationError

from agentad.errors import PlanRejected
from agentad.flow import Brief, Mix, Noun, Place, Portion, Shape
from agentad.llm.closed import complaints
from agentad.llm.prompts import quote, render
from agentad.llm.structured import Chat, Message, Reply
from agentad.planning.critic import RULES, Advice, RulesCritic
from agentad.planning.strategies import MOST_PORTIONS, Review, known_gaps

TRIES = 2
MOST_KINDS = 50
"""Types that a model is told of, the most missed first."""
MOST_GROUPS = 100
"""Groups of items that a model is told of."""
STRONGEST = 4.0
"""Contrast that can be asked for at most, that of the real defect being 1."""
_SENTENCE = 300
"""Characters kept of a sentence that a model wrote."""
_REASON = 600
"""Characters of a reason that reach the mix."""


class Range(Noun):
    """Two numbers."""

    least: float = Field(gt=0)
    greatest: float = Field(gt=0)


class Part(Noun):
    """One portion as a model writes it."""

    weight: float = Field(gt=0, le=1e6)
    kind: str | None = None
    shape: Shape | None = None
    place: Place | None = None
    size: Range | None = None
    strength: Range | None = None
    hard_normals: float = Field(default=0.0, ge=0, le=1)


class Answer(Noun):
    """A model's answer. A closed document: it can name no tool, count, file or metric."""

    stop: bool = False
    portions: list[Part] = Field(default=[], max_length=MOST_PORTIONS)
    why: str = ""


class ChatCritic:
    """Asks `chat`, at most `TRIES` times; then `rules` decide, aloud.

    The model is asked only where the rules would go on, so it can end the rounds earlier but not prolong them.
    """

    def __init__(self, chat: Chat, rules: RulesCritic | None = None) -> None:
        self._chat = chat
        self._rules = rules or RulesCritic()

    def advise(self, review: Review, *, seed: int = 0) -> Advice:
        """The model's mix, or that of the rules; `critic` and `why` say whose it is."""
        rules = self._rules.advise(review, seed=seed)
        if rules.mix is None:
            return rules
        messages = _opening(review)
        reason = ""
        for _ in range(TRIES):
            reply = self._chat.ask(schema(review), messages)
            if reply.error is not None:
                return self._by_rules(rules, reply.error)
            try:
                return _advice(_answer(reply), review, self._chat.name)
            except PlanRejected as error:
                reason = str(error)
            correction = render("critic/correction.md", reason=quote(reason))
            messages += [_turn("ai", reply.text or "(no answer)"), _turn("human", correction)]
        return self._by_rules(rules, reason)

    def _by_rules(self, rules: Advice, reason: str) -> Advice:
        short = " ".join(reason.split())[:_REASON]
        said = f"The language model {self._chat.name} did not give a usable mix ({short}): the rules decided instead."
        why = f"{said} {rules.why}"
        mix = rules.mix and rules.mix.model_copy(update={"why": why})
        return Advice(mix, why, f"{RULES} (after {self._chat.name} failed: {short})")


def schema(review: Review) -> dict[str, Any]:
    """The JSON schema of `Answer`, in which only types that exist have names; of rows only these can be asked for."""
    document = Answer.model_json_schema()
    document["title"], document["description"] = "mix", "What the next round is to make."
    properties = document["$defs"]["Part"]["properties"]
    kinds = _kinds(review)
    properties["kind"] = {"anyOf": [{"type": "string", "enum": kinds}, {"type": "null"}]} if kinds else {"type": "null"}
    if not review.masks:
        for name in ("shape", "place", "size", "strength"):
            del properties[name]
        del document["$defs"]["Range"]
    return document


def _kinds(review: Review) -> list[str]:
    wrong = {spot.value: spot.wrong for spot in review.spots if spot.by == "type"}
    return sorted(review.kinds, key=lambda kind: (-wrong.get(kind, 0), kind))[:MOST_KINDS]


def _opening(review: Review) -> list[Message]:
    kinds, gaps = _kinds(review), known_gaps(review)
    facts = {
        "types": kinds,
        "mistakes": [
            {"by": spot.by, "value": spot.value, "items": spot.items, "wrong": spot.wrong}
            for spot in review.spots
            if spot.by != "type" or spot.value in kinds or not spot.value
        ][:MOST_GROUPS],
        "previous": review.previous and review.previous.model_dump(mode="json", exclude_defaults=True),
        "made": review.made,
        "rejected_by_verifier": dict(review.rejected),
        "rounds_adopted": list(review.adopted),
        "cells": [
            {"type": cell.kind, "size": cell.size, "place": cell.place, "real": cell.real, "made": cell.made}
            for cell in review.cells[:MOST_KINDS]
        ],
        "distance_of_invented_to_real": {kind: round(gaps[kind], 4) for kind in kinds if kind in gaps},
    }
    system = render("critic/system.md", most=str(MOST_PORTIONS), strongest=f"{STRONGEST:g}")
    return [_turn("system", system), _turn("human", render("critic/review.md", review=quote(facts)))]


def _turn(role: str, text: str) -> Message:
    return Message.model_validate({"role": role, "text": text})


def _answer(reply: Reply) -> Answer:
    if reply.document is None:
        raise PlanRejected("the answer is not one JSON document")
    try:
        return Answer.model_validate(reply.document)
    except ValidationError as error:
        raise PlanRejected(complaints(error)) from error


def _advice(answer: Answer, review: Review, name: str) -> Advice:
    why = " ".join(answer.why.split())[:_SENTENCE]
    if answer.stop:
        return Advice(None, why or f"{name} sees no use in another round.", name)
    if not answer.portions:
        raise PlanRejected("portions: give at least one, or stop")
    portions = tuple(_portion(part, i, review) for i, part in enumerate(answer.portions))
    return Advice(Mix(portions=portions, why=why), why, name)


def _portion(part: Part, i: int, review: Review) -> Portion:
    if part.kind is not None and part.kind not in review.kinds:
        known = ", ".join(f"{kind!r:.80}" for kind in _kinds(review)) or "none, so answer null"
        raise PlanRejected(f"portions.{i}.kind: there is no type {part.kind!r:.80}; there are: {known}")
    asked = {"shape": part.shape, "place": part.place, "size": part.size, "strength": part.strength}
    if not review.masks and any(value is not None for value in asked.values()):
        raise PlanRejected(f"portions.{i}: rows have no shape, place, size or strength; answer null")
    if part.strength is not None and part.strength.greatest > STRONGEST:
        raise PlanRejected(f"portions.{i}.strength: {part.strength.greatest:g} is more than {STRONGEST:g}")
    size = (part.size.least, part.size.greatest) if part.size else None
    strength = (part.strength.least, part.strength.greatest) if part.strength else (1.0, 1.0)
    try:
        brief = Brief(kind=part.kind, shape=part.shape, place=part.place, size=size, strength=strength)
    except ValidationError as error:
        raise PlanRejected(f"portions.{i}: {complaints(error)}") from error
    return Portion(weight=part.weight, brief=brief, hard_normals=part.hard_normals)
