"""The steps of a run, in order. Each writes one folder from what the steps before it wrote, and can be repeated."""

from agentad.steps.adapt import adapt
from agentad.steps.evaluate import evaluate
from agentad.steps.fit import fit
from agentad.steps.page import page
from agentad.steps.prepare import plan, profile, split
from agentad.steps.score import score
from agentad.steps.session import Session

__all__ = ["Session", "adapt", "evaluate", "fit", "page", "plan", "profile", "score", "split"]
