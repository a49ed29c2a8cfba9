"""The tool for each part of a plan: what measured best for this kind of data, unless something forbids it."""

from __future__ import annotations

from agentad.errors import Infeasible
from agentad.flow import Step, ToolCard, Value
from agentad.planning.situation import Kind, Situation, Training

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
    ("image", "generator"): ("residual-paste", "local-score-diffusion", "inpainting-diffusion", "manipulated-normals"),
    ("image", "head"): ("patch-head",),
    ("table", "head"): ("few-label-head",),
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


def choose(kind: Kind, situation: Situation, training: Training) -> Step:
    """The preferred tool of `kind` that the data allows.

    Raises:
        Infeasible: there is none; names the exclusions, or each tool's reason.
    """
    offered = ranked(kind, situation, training)
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


def ranked(kind: Kind, situation: Situation, training: Training) -> list[ToolCard]:
    """The tools of `kind` that are offered, the preferred ones first, whether the data allows them or not."""
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
