"""Where invented items come from."""

from __future__ import annotations

from agentad.flow.base import Noun
from agentad.flow.brief import Brief
from agentad.flow.constraint import Constraint
from agentad.flow.step import Value
from agentad.flow.verdict import Verdict


class SyntheticRow(Noun):
    """The origin of one invented row."""

    id: str
    anomaly: str | None
    """Id of the real anomaly it was made from."""
    normal: str | None
    """Id of the real normal row it was made from."""
    nearest: str
    """Id of the real row nearest to it."""
    distance_ratio: float
    """Distance to that row, in units of how far a normal row is from its own nearest. 0 would be a copy."""
    verdicts: tuple[Verdict, ...] = ()


class Synthesis(Noun):
    """One batch of invented rows, in the order of its table."""

    tool: str
    """Name of the generator's card."""
    params: dict[str, Value] = {}
    seed: int
    conditions: tuple[Constraint, ...] = ()
    """What every row was asked to be."""
    rows: tuple[SyntheticRow, ...]
    dropped: int
    """Rows that were copies of real ones, or missed a condition, and were drawn again."""


class SyntheticImage(Noun):
    """The origin of one invented image: a line of `manifest.jsonl` beside `images/ID.png` and `masks/ID.png`."""

    id: str
    kind: str
    """The type of anomaly, or the shape where it is like no type, or empty."""
    anomaly: str | None
    """Id of the real anomaly it was made from."""
    normal: str
    """Id of the normal image it stands on."""
    brief: Brief
    """What it was asked to be, as it was when the image was accepted."""
    attempts: int
    """How often it was made: 1 if the first was accepted."""
    tool: str
    """Name of the generator's card."""
    seed: int
    verdicts: tuple[Verdict, ...] = ()
