"""What a run was asked for and on which data: `run.json`, all that `resume` needs."""

from __future__ import annotations

from agentad.flow.base import Noun
from agentad.flow.plan import Plan
from agentad.flow.request import Request


class Asked(Noun):
    """The beginning of a run."""

    request: Request
    plan: Plan | None = None
    """A plan to follow instead of asking a planner."""
    data: str
    """Fingerprint of the data's names, sizes and times."""
    weights: tuple[str, ...] = ()
    """Pretrained weights that were on the machine."""
    planner: str | None = None
    """Address of what the planner reads besides request, profile and cards."""
