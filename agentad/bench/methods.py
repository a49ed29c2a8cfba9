"""What a bench compares: the planner's choice, the tools on their cards, and baselines, all by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from agentad.bench import baselines
from agentad.bench.case import Case, Fitted, Learned
from agentad.errors import InputError
from agentad.flow import Modality, Step, ToolCard
from agentad.planning.situation import Kind, Training
from agentad.tools.cards import load_cards, resolve
from agentad.tools.fitted import encode_copies, fit

DEFAULT = "default"
ALL = "all"


@dataclass(frozen=True)
class Method:
    """One way of scoring a case."""

    tool: str | None
    """The tool card behind it; None for a baseline without one."""
    diffusion: bool
    same: str
    """Equal for methods that do the same work."""
    learn: Callable[[], Learned]
    case: Case | None = None
    """The data set through an encoder of its own, for a method that needs one."""


def names(
    asked: str,
    modality: Modality,
    training: Training,
    always: Sequence[str],
    *,
    kind: Kind = "detector",
    on_request: Sequence[str] = (),
) -> tuple[str, ...]:
    """Names of the methods to run: those in `asked` (`a,b`, `all` or `default`), then the baselines in `always`.

    Methods are the tools of one `kind`, the default and the baselines. Those `on_request` may be asked for and are not
    part of `all`, and neither are tools with settings that their card leaves to the user.

    Raises:
        InputError: there is no such method, or it is not for this kind of training data.
    """
    cards = [card for card in load_cards().values() if card.kind == kind and modality in card.modalities]
    paired = any("template" in card.uses for card in cards if card.name in always)
    cards = [card for card in cards if ("template" in card.uses) == paired]
    fitting = [card.name for card in cards if training in card.requires.training]
    wanted = [part.strip() for part in asked.split(",") if part.strip()]
    if wanted == [ALL]:
        ready = [card.name for card in cards if all(card.params[name].default for name in card.requires.settings)]
        wanted = [DEFAULT, *(name for name in fitting if name in ready)]
    allowed = list(dict.fromkeys([DEFAULT, *fitting, *always, *on_request]))
    for name in wanted:
        if name not in allowed:
            raise InputError(f"detector {name!r}: {_why_not(name, cards, training)}; there are {', '.join(allowed)}")
    if not wanted:
        raise InputError(f"no detector named; give all, or some of {', '.join(allowed)}")
    return tuple(dict.fromkeys([*wanted, *always]))


def _why_not(name: str, cards: Sequence[ToolCard], training: Training) -> str:
    if any(card.name == name for card in cards):
        return f"not for training data that is {training}"
    if name in baselines.BASELINES:
        return "not part of this bench, or not installed (pip install 'agentad[bench]')"
    return "no such detector here"


def find(name: str, case: Case) -> Method:
    """The method called `name`, rather a baseline than a tool. A tool is set as the plan sets it, else by its card."""
    if name in baselines.BASELINES:
        return Method(None, False, name, lambda: _learned(case, baselines.learn(name, case)))
    plan = case.plan
    planned = {step.tool: step for step in (plan.detector, *plan.baselines)}
    return of_step(plan.detector if name == DEFAULT else planned.get(name, Step(tool=name)), case)


def of_step(step: Step, case: Case) -> Method:
    """The tool that `step` names, with its settings."""
    card = load_cards()[step.tool]
    resolve(card)  # imported here, so that the time this takes is not counted as fitting
    same = f"{step.tool} {sorted(step.params.items())}"
    own = case.seen_through(step.encoder or card.encoder or case.plan.encoder)
    return Method(step.tool, card.diffusion, same, lambda: _learned(own, fitted(own, step)), own)


def _learned(case: Case, fitted: Fitted) -> Learned:
    return Learned(partial(case.scored, fitted))


def fitted(case: Case, step: Step) -> Fitted:
    """The detector that `step` names, fitted on the case."""
    copies = encode_copies(case.plan, step, case.encoder, case.data, case.train)
    scorer = fit(case.plan, step, case.encoder, case.x, case.items, copies=copies).scorer
    return Fitted(scorer.held_out, scorer.score)
