"""The part of a plan that invents anomalies, learns from them, and keeps what provably helps."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from agentad.flow.base import Noun
from agentad.flow.constraint import Constraint
from agentad.flow.round import Mix
from agentad.flow.step import Step


class Loop(Noun):
    """Rounds of generate, verify, adapt, gate and feed back, on top of the plan's detector."""

    head: Step
    """Learns from few labels."""
    generator: Step | None = None
    """Invents anomalies; None: only the real ones are learned from."""
    rounds: int = Field(default=3, ge=1, le=20)
    """At most. With real anomalies the first round learns from these alone."""
    count: int = Field(default=100, ge=1, le=100_000)
    """Invented items that a round adds."""
    metric: Literal["auroc", "ap", "pixel_ap"] | None = None
    """What a round has to improve to be adopted; None: pixel AP of images, AP of rows."""
    shots: int | None = Field(default=None, ge=0)
    """Real anomalies of each type that are learned from; None: half of each type, all of them where there are few. The
    others are judged."""
    folds: int = Field(default=5, ge=2, le=20)
    """Parts of the real anomalies, each of which is judged by a detector that learned from the others."""
    level: float = Field(default=0.05, gt=0, lt=1)
    """Chance, over all rounds together, of adopting something that does not help."""
    verify: bool = True
    """Whether invented items are looked at by verifiers before they are learned from."""
    judge: str | None = Field(default=None, max_length=200)
    """A chat model that looks at invented images beside the other verifiers: a LangChain id, or `local:` and a folder
    or `owner/name@commit`. Every judgement is a call. None: nobody."""
    mix: Mix = Mix()
    """What the first round of invention makes, every type alike where it names none; a critic sets the later ones."""
    feedback: Literal["confusion", "coverage", "even", "hard-normals", "random"] = "confusion"
    """What the critic goes by."""
    conditions: tuple[Constraint, ...] = ()
    """Rows: what every invented one has to be."""
    seconds: float | None = Field(default=None, gt=0)
    """Wall seconds after which no further round is begun."""
