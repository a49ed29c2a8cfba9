"""The planner without a language model: what measured best for this kind of data, unless something forbids it.

Modality, labels and sizes come from the profile; the wishes are those `words` can read. The same request, data and
cards always give the same plan.
"""

from __future__ import annotations

from agentad.flow import DataProfile, Plan, Request
from agentad.planning.choose import baselines, choose, ranked
from agentad.planning.invention import loop_of
from agentad.planning.pace import paced
from agentad.planning.situation import DEFAULT_FAR, Available, Cards, Situation, Training
from agentad.planning.validate import checked


class RulePlanner:
    """Plans from the profile and the cards. `available` names the pretrained weights that can be had; None: all."""

    def __init__(self, available: Available = None) -> None:
        self._available = available

    def plan(self, request: Request, profile: DataProfile, cards: Cards) -> Plan:
        """The plan.

        Raises:
            Infeasible: the data or the exclusions leave no tool.
            InputError: the request contradicts itself.
        """
        situation = Situation(request, profile, cards, self._available)
        training = training_of(situation)
        encoder, detector = (choose(kind, situation, training) for kind in ("encoder", "detector"))
        timed, said = paced(situation, training, detector.tool)
        loop, about_loop = loop_of(situation, training)
        plan = Plan(
            request=request.text,
            modality=profile.modality,
            training=training,
            encoder=timed or encoder,
            detector=detector,
            baselines=baselines(situation, training, detector),
            loop=loop,
            target_far=DEFAULT_FAR if situation.wanted_far is None else situation.wanted_far,
            seed=request.seed,
            assumptions=(
                *assumptions(situation, training, situation.wanted_far, situation.wishes.normal),
                *said,
                *about_loop,
            ),
        )
        return checked(plan, situation)


def training_of(situation: Situation) -> Training:
    """Whether the items to learn from are known to be normal: by labels and layout, or because the words say so."""
    return "normal" if situation.known_normal or situation.wishes.normal else "contaminated"


def assumptions(situation: Situation, training: Training, target: float | None, quote: str | None) -> tuple[str, ...]:
    """What was taken for granted, each a sentence, in a fixed order.

    `target` is the false-alarm rate that was named, and `quote` the words that call all data normal, if there are any.
    """
    said = [
        *_about_training(situation, training, quote),
        *_about_few(situation, training),
        *_about_weights(situation, training),
        *_about_words(situation),
    ]
    if target is None:
        said.append(
            f"No false-alarm rate was named: {100 * DEFAULT_FAR:g} % of normal {situation.items} may be flagged."
        )
    return tuple(said)


def _about_training(situation: Situation, training: Training, quote: str | None) -> list[str]:
    items, facts = situation.items, situation.profile
    if situation.known_normal and training == "normal":
        return []
    if situation.paired and training == "contaminated" and facts.anomalous:
        return ["Each image is compared with its template; what the labels mark as defects is not learned as normal."]
    if training == "normal":
        said = f" (“{quote}”)" if quote else ""
        return [
            f"You say that the data is normal{said}: an anomaly among the {facts.items} {items} is learned as normal."
        ]
    if situation.known_normal:
        return [f"What the labels say of {facts.items} {items} is not used: some to learn from may be anomalies."]
    few = (
        f"Only {facts.normal} {items} are known to be normal" if facts.normal else f"No {items} are known to be normal"
    )
    return [f"{few}: most of the {facts.items} are assumed to be, and the others to differ from each other."]


def _about_few(situation: Situation, training: Training) -> list[str]:
    if not situation.few(training):
        return []
    count = situation.shots(training)
    if count == 1:
        return [
            "There is a single normal image to learn from: expect much less than from dozens. The threshold can only "
            "be a guess; the order of the scores says more than the flags."
        ]
    return [
        f"There are only {count} normal images to learn from: expect less than from dozens, and a threshold that is "
        "very uncertain."
    ]


def _about_weights(situation: Situation, training: Training) -> list[str]:
    best = ranked("encoder", situation, training)[0]
    if situation.has_weights(best):
        return []
    commands = " and ".join(f"`agentad models pull {name}`" for name in situation.missing_weights(best))
    return [f"{situation.unmet(best, training)}: a simpler encoder stands in. To get them: {commands}."]


def _about_words(situation: Situation) -> list[str]:
    said = []
    if situation.wishes.exclude:
        said.append(f"Read in your words: do not use {', '.join(situation.wishes.exclude)}.")
    return said
