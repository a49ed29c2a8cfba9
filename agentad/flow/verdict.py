"""What verifiers say of invented anomalies, and how far they are to be believed."""

from __future__ import annotations

from agentad.flow.base import Noun


class Verdict(Noun):
    """One verifier on one invented item."""

    verifier: str
    passed: bool | None
    """None: it abstains."""
    value: float | None = None
    """What it measured; higher = better."""
    why: str = ""
    """The reason for a rejection, or for abstaining."""


class Reliability(Noun):
    """How a verifier did on samples that are known to be good, bad, or marked in the wrong place."""

    verifier: str
    used: bool
    """Whether it is better than chance; one that is not is left out."""
    cut: float | None = None
    """Samples with a lower value are rejected."""
    overkill: float | None = None
    """Share of known good samples that it rejects."""
    miss: float | None = None
    """Share of known bad samples that it lets pass."""
    good: int = 0
    """Known good samples that it was tried on."""
    bad: int = 0
    """Known bad ones."""
    abstained: float = 0.0
    """Share of both on which it said nothing."""
    why: str = ""
    """Why it is not used."""
