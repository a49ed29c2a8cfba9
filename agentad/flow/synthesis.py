"""Where invented items come from."""

from __future__ import annotations

from agentad.flow.base import Noun
from agentad.flow.constraint import Constraint
from agentad.flow.plan import Value


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
