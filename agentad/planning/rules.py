"""The planner without a language model: what measured best for this kind of data, unless something forbids it.

Modality, labels and sizes come from the profile; the wishes are those `words` can read. The same request, data and
cards always give the same plan.
"""

from __future__ import annotations

from agentad.errors import Infeasible
from agentad.flow import DataProfile, Plan, Request, Step, ToolCard, Value
from agentad.planning.pace import paced
from agentad.planning.situation import DEFAULT_FAR, Available, Cards, Kind, Situation, Training
from agentad.planning.validate import checked

BASELINE = "memory-bank"
FEW_SHOT = "few-shot-bank"
TABLE_NEIGHBOURS = 5

_PREFERRED: dict[tuple[str, str], tuple[str, ...]] = {
    ("table", "encoder"): ("table-encoder",),
    ("image", "encoder"): ("dinov2-lite", "dinov2-small", "efficientnet-lite0", "patch-filters"),
    ("table", "normal"): ("closed-form-diffusion", "empirical-denoiser", "memory-bank", "self-cleaning"),
    ("table", "contaminated"): ("robust-fusion", "self-cleaning", "memory-bank", "isolation-forest"),
    ("image", "normal"): ("bank-diffusion", "feature-diffusion", "memory-bank"),
    ("image", "contaminated"): ("bank-diffusion", "feature-diffusion", "memory-bank"),
    ("table", "generator"): (
        "transplanted-rows",
        "guided-rows",
        "neighbour-rows",
        "smote-rows",
        "gaussian-rows",
        "uniform-rows",
    ),
    ("image", "generator"): ("residual-paste", "manipulated-normals"),
}
"""Best first, by the figures on the cards. Tools that are not named follow by name."""
_PAIRED: dict[str, tuple[str, ...]] = {
    "encoder": ("pixel-blocks", "dinov2-small", "patch-filters"),
    "detector": ("template-distance", "template-diffusion"),
}
"""For images that come with templates."""
PAIR_BASELINE = "template-distance"
_MIXED = {("table", "contaminated"): ("self-cleaning", "robust-fusion", "memory-bank", "isolation-forest")}
"""The same for tables of more than numbers, where it differs."""


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
        plan = Plan(
            request=request.text,
            modality=profile.modality,
            training=training,
            encoder=timed or encoder,
            detector=detector,
            baselines=baselines(situation, training, detector),
            target_far=DEFAULT_FAR if situation.wanted_far is None else situation.wanted_far,
            seed=request.seed,
            assumptions=(*assumptions(situation, training, situation.wanted_far, situation.wishes.normal), *said),
        )
        return checked(plan, situation)


def training_of(situation: Situation) -> Training:
    """Whether the items to learn from are known to be normal: by labels and layout, or because the words say so."""
    return "normal" if situation.known_normal or situation.wishes.normal else "contaminated"


def choose(kind: Kind, situation: Situation, training: Training) -> Step:
    """The preferred tool of `kind` that the data allows.

    Raises:
        Infeasible: there is none; names the exclusions, or each tool's reason.
    """
    offered = _ranked(kind, situation, training)
    reasons = [situation.unmet(card, training) or situation.unset(card, {}) for card in offered]
    for card, reason in zip(offered, reasons, strict=True):
        if reason is None:
            return Step(tool=card.name, params=_params(card, situation), why=_why(kind, card, situation, training))
    if not offered and not situation.excluded:
        raise Infeasible(f"there is no {kind} for {situation.items}; add a tool card")
    if not offered:
        raise Infeasible(
            f"no {kind} for {situation.items} is left without {', '.join(situation.excluded)}; allow one of them"
        )
    if kind == "encoder":  # of the many that other weights would make possible, the usual ones are enough
        named = _order(kind, situation, training)
        known = [reason for card, reason in zip(offered, reasons, strict=True) if card.name in named]
        reasons = known or reasons
    without = f" (excluded: {', '.join(situation.excluded)})" if situation.excluded else ""
    raise Infeasible(
        f"no {kind} can be used on {situation.profile.root}{without}: {'; '.join(filter(None, reasons))}; "
        f"add {situation.items} to learn from, or allow another tool"
    )


def _order(kind: Kind, situation: Situation, training: Training) -> tuple[str, ...]:
    if situation.paired and kind in _PAIRED:
        return _PAIRED[kind]
    if kind == "detector" and situation.few(training):
        return (FEW_SHOT, *_PREFERRED["image", "normal"])
    wanted = (situation.profile.modality, training if kind == "detector" else kind)
    order = _PREFERRED.get(wanted, ())
    return _MIXED.get(wanted, order) if situation.mixed else order


def _ranked(kind: Kind, situation: Situation, training: Training) -> list[ToolCard]:
    order = _order(kind, situation, training)
    return sorted(
        situation.offered(kind),
        key=lambda card: (order.index(card.name) if card.name in order else len(order), card.name),
    )


def _params(card: ToolCard, situation: Situation) -> dict[str, Value]:
    """Settings other than the defaults: the baseline averages over more neighbours on tables."""
    if card.name == "pixel-blocks" and situation.coloured:
        return {"colour": True}
    if card.name == BASELINE and situation.profile.modality == "table":
        return {"neighbours": TABLE_NEIGHBOURS}
    return {}


def _why(kind: Kind, card: ToolCard, situation: Situation, training: Training) -> str:
    known = _known(situation, training) if kind == "detector" else ""
    best = f"Best for {card.best_for[0]}." if card.best_for else card.summary
    return " ".join(filter(None, [known, best, _instead(kind, card, situation, training)]))


def _instead(kind: Kind, card: ToolCard, situation: Situation, training: Training) -> str:
    order = _order(kind, situation, training)
    better = order[: order.index(card.name)] if card.name in order else order
    ruled_out = [name for name in better if name in situation.excluded]
    return f"It stands in for {', '.join(ruled_out)}, which you excluded." if ruled_out else ""


def _known(situation: Situation, training: Training) -> str:
    count, items = situation.learnable(training), situation.items
    if situation.few(training):
        count = situation.shots(training)
        return f"{count} normal image{'s' if count > 1 else ''} to learn from."
    if training == "normal":
        return f"{count} {items} to learn from are known to be normal."
    return f"{count} {items} to learn from, and some of them may be anomalies."


def baselines(situation: Situation, training: Training, detector: Step) -> tuple[Step, ...]:
    """The memory bank, so that the detector has to earn its place; nothing where it is the detector or not allowed."""
    chosen = situation.cards.get(detector.tool)
    name = PAIR_BASELINE if chosen is not None and "template" in chosen.uses else BASELINE
    card = next((card for card in situation.offered("detector") if card.name == name), None)
    if card is None or detector.tool == name or situation.unmet(card, training):
        return ()
    why = "The baseline: run beside the detector, which has to earn its place."
    return (Step(tool=name, params=_params(card, situation), why=why),)


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
    best = _ranked("encoder", situation, training)[0]
    if situation.has_weights(best):
        return []
    commands = " and ".join(f"`agentad models pull {name}`" for name in situation.missing_weights(best))
    return [f"{situation.unmet(best, training)}: a simpler encoder stands in. To get them: {commands}."]


def _about_words(situation: Situation) -> list[str]:
    said = []
    if situation.wishes.exclude:
        said.append(f"Read in your words: do not use {', '.join(situation.wishes.exclude)}.")
    if situation.wishes.made_up:
        said.append(
            f"You mention “{situation.wishes.made_up}”: this version makes no anomalies, so the plan only detects."
        )
    return said
