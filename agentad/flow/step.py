"""One tool and its settings, as plans name it."""

from __future__ import annotations

from agentad.flow.base import Noun

Value = bool | int | float | str


class Step(Noun):
    """One tool and its settings."""

    tool: str
    """Name of a tool card."""
    params: dict[str, Value] = {}
    encoder: Step | None = None
    """What a detector or baseline sees, where its card names an encoder of its own; None: what the plan's gives."""
    why: str = ""
