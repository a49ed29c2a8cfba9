"""A batch of invented anomalies on disk, and how a detector does on such: what `generate` and `stress` hand back."""

from __future__ import annotations

from typing import Literal

from agentad.flow.base import Noun
from agentad.flow.step import Step
from agentad.flow.verdict import Reliability


class Generation(Noun):
    """What was made; `generated.json` without `dir`."""

    run: str
    dir: str = ""
    layout: Literal["plain", "mvtec"]
    generator: Step
    conditions: tuple[str, ...] = ()
    seed: int
    asked: int
    made: int
    """Items written: lines of `manifest.jsonl`."""
    anomalies: int
    """Real anomalies that they are made from."""
    rejected: dict[str, int] = {}
    """By verifier: how often it rejected something."""
    reliabilities: tuple[Reliability, ...] = ()
    notes: tuple[str, ...] = ()


class StressCell(Noun):
    """Invented anomalies of one size, place and strength."""

    size: str
    place: str
    strength: str
    made: int
    """Fewer than asked where images have no place for them."""
    found: int
    """Flagged at the detector's threshold."""
    interval: tuple[float, float] | None
    """95 % interval (Clopper-Pearson) of the share found; None where nothing was made."""


class Stress(Noun):
    """How the detector in place does on a grid of invented anomalies."""

    run: str
    detector: str
    generator: Step
    seed: int
    normals: int
    """Normal images that anomalies were put on."""
    learned: bool
    """Whether the detector has learned from these."""
    flagged_normals: int
    """Of the same images unchanged: what is found on top of these is owed to the anomalies."""
    cells: tuple[StressCell, ...]
    sizes: dict[str, tuple[float, float]]
    """Least and greatest share of the image, by name."""
    strengths: dict[str, float]
    """Contrast in units of the real defect's, or of one that is seen well where there is none."""
    notes: tuple[str, ...]
