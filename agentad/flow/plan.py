"""The planner's only product: a closed, typed document that runs without a language model."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from agentad.flow.base import Noun
from agentad.flow.loop import Loop
from agentad.flow.profile import Modality
from agentad.flow.step import Step


class Plan(Noun):
    """What will be done, in an order that never changes: encode, fit, calibrate, improve in rounds, score, compare."""

    version: Literal[1] = 1
    request: str
    intent: Literal["detect"] = "detect"
    modality: Modality
    training: Literal["normal", "contaminated"]
    """Whether the data to learn from is known to be normal, or may hide anomalies."""
    encoder: Step
    detector: Step
    baselines: tuple[Step, ...] = ()
    """Cheap methods run beside the detector, so that it has to earn its place."""
    loop: Loop | None = None
    """What is learned from few labelled and invented anomalies on top of the detector; None: nothing."""
    target_far: float = Field(default=0.01, gt=0, lt=1)
    seed: int = Field(default=0, ge=0)
    assumptions: tuple[str, ...] = ()
    """What was assumed and would change the plan if wrong."""
    planner: str = "rules"
    """Who decided."""
