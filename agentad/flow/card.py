"""What a planner reads about a tool."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from agentad.flow.base import Noun
from agentad.flow.profile import Modality
from agentad.flow.step import Step, Value


class Param(Noun):
    """One setting of a tool: its type, its bounds and its meaning."""

    type: Literal["bool", "int", "float", "str"]
    default: Value
    low: float | None = None
    high: float | None = None
    multiple_of: int | None = None
    """An integer has to be a multiple of it."""
    choices: tuple[str, ...] = ()
    help: str


class Requires(Noun):
    """What has to be true of the data before the tool can be used."""

    training: tuple[Literal["normal", "contaminated"], ...] = ("normal", "contaminated")
    items: int = 2
    """Fewest items to learn from."""
    anomalies: int = 0
    """Fewest real anomalies to learn from."""
    settings: tuple[str, ...] = ()
    """Parameters without a usable default: the user has to give them, in a plan or on a card of their own."""
    weights: tuple[str, ...] = ()
    """Pretrained weights it needs (`agentad models list`); a card may write a single name."""
    package: str | None = Field(default=None, pattern=r"^[a-z]\w*$")
    """Python package it needs, which the extra of the same name installs."""

    @field_validator("weights", mode="before")
    @classmethod
    def _one_or_more(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value


class ToolCard(Noun):
    """A tool as the planner sees it. `entry` is the function or class the card describes."""

    name: str
    kind: Literal["encoder", "detector", "generator", "head"]
    """A generator invents anomalies; a head learns from few labels on top of a detector."""
    modalities: tuple[Modality, ...]
    summary: str
    entry: str
    """`package.module:Name`, resolved only for cards that ship with an installed package."""
    score_family: str | None = None
    """Cell of the survey's taxonomy (arXiv 2506.09368), or `neighbour baseline`."""
    conditioning: str = "none"
    architecture: str | None = None
    diffusion: bool = False
    best_for: tuple[str, ...]
    avoid_when: tuple[str, ...] = ()
    uses: tuple[Literal["template"], ...] = ()
    """`template`: it compares each image with its template, and works on pairs alone."""
    encoder: Step | None = None
    """Of a detector: the encoder it works on, and how that is set; None: any that gives features."""
    raw: bool = False
    """Of an encoder: gives the data as it is, which is no use but to detectors that name it as their `encoder`."""
    parts: tuple[str, ...] = ()
    """Tools it is made of. Who excludes one of them excludes it."""
    requires: Requires = Requires()
    cost: str
    params: dict[str, Param] = {}
    paper: str | None = None
    body: str = ""
    """The card's prose."""
