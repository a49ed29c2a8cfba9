"""The planner that asks a language model, and believes it only as far as the plan can be checked."""

from __future__ import annotations

from pydantic import ValidationError

from agentad.errors import PlanRejected
from agentad.flow import DataProfile, Plan, Request
from agentad.llm.closed import complaints
from agentad.llm.prompts import quote, render
from agentad.llm.structured import Chat, Message, Reply
from agentad.planning.draft import Draft, planned, schema
from agentad.planning.rules import RulePlanner
from agentad.planning.situation import Available, Cards, Situation
from agentad.planning.summary import card_block, data_block
from agentad.planning.validate import checked

CORRECTIONS = 2
_REASON = 600
"""Characters of a reason that reach the plan."""


class ChatPlanner:
    """Plans with `chat`, corrected at most `CORRECTIONS` times with the reason; then the rules take over, aloud."""

    def __init__(self, chat: Chat, available: Available = None) -> None:
        self._chat = chat
        self._available = available

    def plan(self, request: Request, profile: DataProfile, cards: Cards) -> Plan:
        """The plan; `planner` and `assumptions` say who made it and why.

        Raises:
            Infeasible, InputError: no plan can meet the request. A model is asked only when rules find that one can.
        """
        rules = RulePlanner(self._available).plan(request, profile, cards)
        situation = Situation(request, profile, cards, self._available)
        messages = _opening(situation)
        reason = ""
        for _ in range(1 + CORRECTIONS):
            reply = self._chat.ask(schema(situation), messages)
            if reply.error is not None:
                return self._by_rules(rules, reply.error)
            try:
                return checked(planned(_draft(reply), situation, self._chat.name), situation)
            except PlanRejected as error:
                reason = str(error)
            messages += [
                _turn("ai", reply.text or "(no answer)"),
                _turn("human", render("planner/correction.md", reason=reason)),
            ]
        return self._by_rules(rules, reason)

    def _by_rules(self, rules: Plan, reason: str) -> Plan:
        short = " ".join(reason.split())[:_REASON]
        said = f"The language model {self._chat.name} did not give a usable plan ({short}): the rules decided instead."
        planner = f"rules (after {self._chat.name} failed: {short})"
        return rules.model_copy(update={"planner": planner, "assumptions": (said, *rules.assumptions)})


def _turn(role: str, text: str) -> Message:
    return Message.model_validate({"role": role, "text": text})


def _opening(situation: Situation) -> list[Message]:
    cards = card_block(situation.usable("encoder") + situation.usable("detector"))
    request = render("planner/request.md", request=quote(situation.request.text), data=data_block(situation.profile))
    return [_turn("system", render("planner/system.md", cards=cards)), _turn("human", request)]


def _draft(reply: Reply) -> Draft:
    if reply.document is None:
        raise PlanRejected("the answer is not one JSON document")
    try:
        return Draft.model_validate(reply.document)
    except ValidationError as error:
        raise PlanRejected(complaints(error)) from error
