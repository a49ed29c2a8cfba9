"""From a request to a plan: who plans, and where the exchanges are kept."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from agentad.assets import listing
from agentad.flow import DataProfile, Plan, Request
from agentad.llm.structured import Chat
from agentad.planning.chat import ChatPlanner
from agentad.planning.chat_critic import ChatCritic
from agentad.planning.critic import Critic, RulesCritic
from agentad.planning.rules import RulePlanner
from agentad.planning.situation import Available, Cards
from agentad.store.address import address

REPLAY = "replay:"


class Planner(Protocol):
    """Makes valid plans."""

    def plan(self, request: Request, profile: DataProfile, cards: Cards) -> Plan:
        """The plan for `request` on the data that `profile` describes, with the tools in `cards`."""
        ...


def make_plan(
    request: Request, profile: DataProfile, cards: Cards, *, record: Path | None = None, available: Available = None
) -> Plan:
    """The plan by the planner that `request.planner` names; exchanges with a model are written to the file `record`.

    Raises:
        Infeasible: the data or the exclusions leave no tool.
        InputError: the request, the model's id or the replayed file is no use; the message says which.
    """
    return planner_for(request, record=record, available=available).plan(request, profile, cards)


def planner_for(request: Request, *, record: Path | None = None, available: Available = None) -> Planner:
    """The planner that `request.planner` names: `auto` and `rules`, `replay:FILE`, or a chat model's id."""
    if request.planner in ("auto", "rules"):
        return RulePlanner(available)
    from agentad.llm.exchanges import Recorded

    chat = _chat(request.planner)
    return ChatPlanner(chat if record is None else Recorded(chat, record), available)


def critic_for(request: Request, strategy: str) -> Critic:
    """Who looks back at a round: the chat model that plans, or the rules, which a replayed model leaves it to."""
    rules = RulesCritic(strategy)
    if request.planner in ("auto", "rules") or request.planner.startswith(REPLAY):
        return rules
    return ChatCritic(_chat(request.planner), rules)


def _chat(name: str) -> Chat:
    if name.startswith(REPLAY):
        from agentad.llm.exchanges import Replay

        return Replay(Path(name.removeprefix(REPLAY)))
    from agentad.llm.models import chat_model, public_name
    from agentad.llm.structured import ModelChat

    return ModelChat(chat_model(name), public_name(name))


def planner_inputs(request: Request) -> str | None:
    """Address of what a planner reads besides request, profile and cards: prompts, or the replayed exchanges."""
    if request.planner in ("auto", "rules"):
        return None
    if request.planner.startswith(REPLAY):
        path = Path(request.planner.removeprefix(REPLAY))
        return address(path.read_text(encoding="utf-8", errors="replace")) if path.is_file() else None
    return address({name: path.read_text(encoding="utf-8") for name, path in listing("prompts", ".md").items()})
