"""agentad: anomaly detection and generation with diffusion models, driven by a sentence.

Public names load on first use, so that `import agentad` is quick and brings in no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from agentad.api import detect, export, generate, load, plan, profile, run, run_plan, stress
    from agentad.errors import AgentadError
    from agentad.flow import DataProfile, Plan, Report, Request, ScoredItem
    from agentad.scarcity import watch

_HOME = {
    "AgentadError": "agentad.errors",
    "DataProfile": "agentad.flow",
    "Plan": "agentad.flow",
    "Report": "agentad.flow",
    "Request": "agentad.flow",
    "ScoredItem": "agentad.flow",
    "detect": "agentad.api",
    "export": "agentad.api",
    "generate": "agentad.api",
    "load": "agentad.api",
    "plan": "agentad.api",
    "profile": "agentad.api",
    "run": "agentad.api",
    "run_plan": "agentad.api",
    "stress": "agentad.api",
    "watch": "agentad.scarcity",
}

__all__ = [
    "AgentadError",
    "DataProfile",
    "Plan",
    "Report",
    "Request",
    "ScoredItem",
    "detect",
    "export",
    "generate",
    "load",
    "plan",
    "profile",
    "run",
    "run_plan",
    "stress",
    "watch",
]


def __getattr__(name: str) -> Any:
    """Import a public name from its home when it is first used."""
    if name not in _HOME:
        raise AttributeError(f"module 'agentad' has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
