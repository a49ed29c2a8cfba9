"""One round of the loop: what was made, what was tried, what was decided, what to do next."""

from __future__ import annotations

from typing import Literal

from agentad.flow.base import Noun
from agentad.flow.brief import Brief
from agentad.flow.verdict import Reliability


class Portion(Noun):
    """A part of a round's samples that is made to one brief."""

    weight: float = 1.0
    """Its part among the weights of all portions."""
    brief: Brief = Brief()
    hard_normals: float = 0.0
    """Share of its samples that are made from the normals with the highest scores, instead of any."""


class Mix(Noun):
    """What a round is to make."""

    portions: tuple[Portion, ...] = (Portion(),)
    why: str = ""


class Decision(Noun):
    """What the gate decided about a candidate."""

    adopted: bool
    metric: str
    before: float | None = None
    """The metric with the detector in place, on real items that neither detector nor generator has seen."""
    after: float | None = None
    """With the candidate, on the same items."""
    interval: tuple[float, float] | None = None
    """Of the difference, paired, groups kept together."""
    p_value: float | None = None
    """One-sided: of a difference at least this large if the candidate were no better."""
    anomalies: int = 0
    """Real anomalies that it rests on."""
    normals: int = 0
    why: str


class Spot(Noun):
    """A group of real items and how the detector does on it."""

    by: Literal["type", "size", "place", "strength", "normals"]
    value: str
    """Which type, `small`, `edge`, …"""
    items: int
    wrong: int
    """Anomalies missed, or normals flagged."""
    examples: tuple[str, ...] = ()
    """Ids of the worst ones."""


class Round(Noun):
    """A finished round."""

    number: int
    """From 1."""
    generator: str | None
    """Its card; None: only real anomalies were learned from."""
    head: str
    mix: Mix | None = None
    made: int = 0
    """Invented items learned from."""
    rejected: dict[str, int] = {}
    """By verifier: items it rejected."""
    dropped: int = 0
    """Items given up after having been made anew twice."""
    reliabilities: tuple[Reliability, ...] = ()
    decision: Decision
    spots: tuple[Spot, ...] = ()
    """Where the detector in place after this round is wrong."""
    cpu_seconds: float = 0.0
