"""Whether a plan fits the data, the cards and what the user ruled out, whoever made it."""

from __future__ import annotations

from agentad.errors import PlanRejected
from agentad.flow import DataProfile, Loop, Plan, Request, Step, ToolCard
from agentad.planning.invention import impossible
from agentad.planning.situation import Available, Cards, Kind, Situation, Training
from agentad.tools.cards import check_params


def validate(plan: Plan, request: Request, profile: DataProfile, cards: Cards, *, available: Available = None) -> Plan:
    """`plan` with every parameter of its tools written in.

    Raises:
        PlanRejected: with the reason, for the planner to correct.
        Infeasible, InputError: the request itself cannot be met, whatever the plan.
    """
    return checked(plan, Situation(request, profile, cards, available))


def checked(plan: Plan, situation: Situation) -> Plan:
    """`validate` where the situation is at hand."""
    if plan.modality != situation.profile.modality:
        raise PlanRejected(f"modality is {plan.modality!r}, and the data is {situation.items}")
    if situation.wanted_far is not None and plan.target_far != situation.wanted_far:
        raise PlanRejected(f"target_far is {plan.target_far:g}, and the user wants {situation.wanted_far:g}")
    if plan.seed != situation.request.seed:
        raise PlanRejected(f"seed is {plan.seed}, and the user wants {situation.request.seed}")
    encoder = _checked(plan.encoder, "encoder", plan.training, situation)
    methods = [_checked(step, "detector", plan.training, situation) for step in (plan.detector, *plan.baselines)]
    _check_distinct(methods)
    _check_alike(methods, situation)
    parts = {"encoder": encoder, "detector": methods[0], "baselines": tuple(methods[1:])}
    return plan.model_copy(update=parts | {"loop": plan.loop and _checked_loop(plan.loop, plan.training, situation)})


def _checked_loop(loop: Loop, training: Training, situation: Situation) -> Loop:
    reason = impossible(situation, training)
    if reason is not None:
        raise PlanRejected(f"rounds cannot be run here: {reason}")
    generator = loop.generator and _checked(loop.generator, "generator", training, situation)
    if generator is None and not situation.shown_anomalies:
        raise PlanRejected(
            f"without a generator there is nothing to learn from: no anomalous {situation.items} are known"
        )
    return loop.model_copy(update={"head": _checked(loop.head, "head", training, situation), "generator": generator})


def _check_distinct(methods: list[Step]) -> None:
    tools = [step.tool for step in methods]
    twice = sorted({tool for tool in tools if tools.count(tool) > 1})
    if twice:
        raise PlanRejected(f"{', '.join(twice)} stands twice among detector and baselines; each method runs once")


def _check_alike(methods: list[Step], situation: Situation) -> None:
    """All methods of a plan get the same encoded images: with their templates, or without."""
    uses = {step.tool: "template" in situation.cards[step.tool].uses for step in methods}
    if len(set(uses.values())) > 1:
        with_template = ", ".join(tool for tool, does in uses.items() if does)
        others = ", ".join(tool for tool, does in uses.items() if not does)
        raise PlanRejected(
            f"{with_template} compares images with their templates and {others} does not; choose methods "
            "that both do, or none"
        )


def _checked(step: Step, kind: Kind, training: Training, situation: Situation) -> Step:
    card = situation.cards.get(step.tool)
    offered = ", ".join(card.name for card in situation.offered(kind))
    if step.tool in situation.excluded:
        raise PlanRejected(f"{step.tool} is excluded by the user; the {kind}s left are: {offered}")
    if card is None:
        raise PlanRejected(f"there is no tool {step.tool!r}; the {kind}s for {situation.items} are: {offered}")
    if card.kind != kind:
        raise PlanRejected(f"{card.name} is of kind {card.kind}; the {kind}s for {situation.items} are: {offered}")
    if situation.profile.modality not in card.modalities:
        raise PlanRejected(f"{card.name} is not for {situation.items}; the {kind}s for them are: {offered}")
    reason = situation.unmet(card, training) or situation.unset(card, step.params)
    if reason:
        raise PlanRejected(reason)
    if card.raw:
        raise PlanRejected(f"{card.name} gives no features; the encoders for {situation.items} are: {offered}")
    return step.model_copy(update={"params": check_params(card, step.params), "encoder": _own(step, card, situation)})


def _own(step: Step, card: ToolCard, situation: Situation) -> Step | None:
    """The encoder that a step's tool works on alone, completed; None: the plan's."""
    if card.encoder is None and step.encoder is not None:
        raise PlanRejected(f"{card.name} works on the plan's encoder; leave out its own, {step.encoder.tool}")
    if card.encoder is None:
        return None
    own = step.encoder or card.encoder
    if own.tool != card.encoder.tool:
        raise PlanRejected(f"{card.name} works on the encoder {card.encoder.tool}, not on {own.tool}")
    if own.tool not in situation.cards:
        raise PlanRejected(f"{card.name} works on the encoder {own.tool}, and there is no such tool")
    return own.model_copy(update={"params": check_params(situation.cards[own.tool], own.params)})
