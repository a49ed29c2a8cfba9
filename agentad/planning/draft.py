"""What a language model may decide: a closed document, smaller than a plan.

Modality, seed, baselines and exclusions are not in it, so no reply can change them. A wish the model reads in the words
(that the data is normal, a false-alarm rate) counts only where the words bear it out.
"""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import Field

from agentad.errors import PlanRejected
from agentad.flow import Loop, Noun, Plan, Step, Value
from agentad.planning.choose import baselines
from agentad.planning.invention import loop_of
from agentad.planning.rules import assumptions
from agentad.planning.situation import DEFAULT_FAR, Kind, Situation, Training

_SENTENCE = 300
"""Characters kept of a sentence that a model wrote."""


class Setting(Noun):
    """One parameter of a tool. A list of these, because a free dictionary is not a closed schema."""

    name: str
    value: Value


class Choice(Noun):
    """One tool."""

    tool: str
    settings: tuple[Setting, ...] = ()
    why: str = ""


class Draft(Noun):
    """A model's answer."""

    intent: Literal["detect", "generate", "explain", "refine"]
    training: Training
    normal_quote: str | None = None
    """The user's own words that say all data is normal."""
    target_far: float | None = Field(default=None, gt=0, lt=1)
    encoder: Choice
    detector: Choice
    assumptions: tuple[str, ...] = ()


def schema(situation: Situation) -> dict[str, Any]:
    """The JSON schema of `Draft`, in which only tools that may be used have names."""
    document = Draft.model_json_schema()
    document["title"], document["description"] = "plan", "The plan for this request."
    definitions = document["$defs"]
    choice = definitions.pop("Choice")
    kinds: tuple[Kind, ...] = ("encoder", "detector")
    for kind in kinds:
        names = [card.name for card in situation.usable(kind)]
        tool = {"type": "string", "enum": names}
        definitions[kind] = {**choice, "title": kind, "properties": {**choice["properties"], "tool": tool}}
        document["properties"][kind] = {"$ref": f"#/$defs/{kind}"}
    return document


def planned(draft: Draft, situation: Situation, planner: str) -> Plan:
    """The plan that `draft` amounts to, not yet validated.

    Raises:
        PlanRejected: it claims a wish that is not in the user's words, or names a setting twice.
    """
    training = _training(draft, situation)
    target = _target_far(draft, situation)
    detector = _step(draft.detector)
    own = tuple(_sentence(text) for text in draft.assumptions[:3])
    loop, about_loop = loop_of(situation, training)
    return Plan(
        request=situation.request.text,
        modality=situation.profile.modality,
        training=training,
        encoder=_step(draft.encoder),
        detector=detector,
        baselines=baselines(situation, training, detector),
        loop=loop,
        target_far=target or DEFAULT_FAR,
        seed=situation.request.seed,
        assumptions=(
            *assumptions(situation, training, target, draft.normal_quote),
            *about_loop,
            *_about_intent(draft, situation, loop),
            *filter(None, own),
        ),
        planner=planner,
    )


def _training(draft: Draft, situation: Situation) -> Training:
    if situation.known_normal:
        return "normal"
    if draft.training == "normal" and not _said(draft.normal_quote or "", situation.request.text):
        raise PlanRejected(
            "training 'normal' needs the user's own words in normal_quote, copied from the request; "
            "without such words answer 'contaminated'"
        )
    return draft.training


def _said(quote: str, text: str) -> bool:
    """Whether `quote`, at least two words, stands in `text`; capitals and white space aside."""
    words = quote.lower().split()
    return len(words) >= 2 and " ".join(words) in " ".join(text.lower().split())


def _target_far(draft: Draft, situation: Situation) -> float | None:
    if situation.wanted_far is not None:
        return situation.wanted_far
    if draft.target_far is not None and not _borne_out(draft.target_far, situation.request.text):
        raise PlanRejected(
            f"target_far {draft.target_far:g} is not in the user's words; answer null if they name no rate"
        )
    return draft.target_far


def _borne_out(rate: float, text: str) -> bool:
    """Whether a number in `text` can be read as `rate`: a fraction, a percentage, or one in so many."""
    numbers = [float(found.replace(",", ".")) for found in re.findall(r"\d+(?:[.,]\d+)?", text)]
    readings = [*numbers, *(n / 100 for n in numbers), *(a / b for a in (1.0, *numbers) for b in numbers if b)]
    return any(abs(rate - reading) <= 1e-9 * rate for reading in readings)


def _step(choice: Choice) -> Step:
    names = [setting.name for setting in choice.settings]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise PlanRejected(f"{choice.tool}: {', '.join(twice)} is set twice")
    params = {setting.name: setting.value for setting in choice.settings}
    return Step(tool=choice.tool, params=params, why=_sentence(choice.why))


def _sentence(text: str) -> str:
    return " ".join(text.split())[:_SENTENCE]


def _about_intent(draft: Draft, situation: Situation, loop: Loop | None) -> list[str]:
    if draft.intent == "detect" or situation.wishes.made_up or (loop is not None and draft.intent == "generate"):
        return []
    return [f"The request reads as “{draft.intent}”: this version only detects, and so does the plan."]
