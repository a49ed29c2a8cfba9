"""The critic: from where a detector is wrong to what the next round makes, or to stopping."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from agentad.errors import InputError
from agentad.flow import Mix, Portion
from agentad.planning.strategies import STRATEGIES, Review

PATIENCE = 2
"""Rounds in a row that were not adopted, after which there is no other."""
RULES = "rules"
MOST_REJECTED = 0.5
"""Share of samples rejected by one verifier from which on the next mix heeds it."""


@dataclass(frozen=True)
class Advice:
    """What a critic says."""

    mix: Mix | None
    """What the next round makes; None: no further round."""
    why: str
    """Also in the mix."""
    critic: str
    """Who says so: `rules`, a model's id, or the rules after a model failed."""


class Critic(Protocol):
    """Somebody who looks back at a round."""

    def advise(self, review: Review, *, seed: int = 0) -> Advice:
        """What to make next."""
        ...


class RulesCritic:
    """Chooses by one of `strategies.STRATEGIES`.

    Raises:
        InputError: there is no such strategy.
    """

    def __init__(self, strategy: str = "confusion") -> None:
        if strategy not in STRATEGIES:
            raise InputError(f"critic {strategy!r}: there is no such strategy; give one of {', '.join(STRATEGIES)}")
        self._strategy = strategy

    def advise(self, review: Review, *, seed: int = 0) -> Advice:
        """The strategy's portions, heeding what the verifiers rejected; nothing where another round is no use.

        Raises:
            AgentadError: the strategy lacks what it needs.
        """
        reason = stop(review)
        if reason is not None:
            return Advice(None, reason, RULES)
        portions = STRATEGIES[self._strategy](review, np.random.default_rng(seed))
        heeded, remark = _heeding(portions, review)
        why = f"By {self._strategy}: {_told(review)}{remark}."
        return Advice(Mix(portions=heeded, why=why), why, RULES)


def stop(review: Review) -> str | None:
    """Why there should be no further round; None if there may be one."""
    last = review.adopted[-PATIENCE:]
    if len(last) == PATIENCE and not any(last):
        return f"The last {PATIENCE} rounds were not adopted."
    if review.adopted and not review.made and sum(review.rejected.values()):
        return "Nothing that was made in the last round passed the verifiers."
    if review.spots and not any(spot.wrong for spot in review.spots):
        return "No real anomaly is missed and no normal item is flagged: there is nothing left to make."
    return None


def _heeding(portions: tuple[Portion, ...], review: Review) -> tuple[tuple[Portion, ...], str]:
    """The portions, changed where one verifier rejected most of the last round; and what was changed, as a clause."""
    tried = review.made + sum(review.rejected.values())
    most = {name for name, count in review.rejected.items() if count > MOST_REJECTED * tried}
    if not review.masks or not most:
        return portions, ""
    if "visibility" in most:
        return _briefs(portions, strength=(1.0, 1.5)), "; most samples could not be seen, so none is made fainter"
    if "placement" in most:
        return _briefs(portions, place=None), "; most samples were in the wrong place, so places are left free"
    return _briefs(portions, size=None, place=None, strength=(1.0, 1.0)), (
        "; most samples were rejected, so sizes, places and strengths are left as in real defects"
    )


def _briefs(portions: tuple[Portion, ...], **change: object) -> tuple[Portion, ...]:
    return tuple(portion.model_copy(update={"brief": portion.brief.model_copy(update=change)}) for portion in portions)


def _told(review: Review) -> str:
    if not review.spots:
        return "nothing is known of misses yet"
    typed = [spot for spot in review.spots if spot.by == "type"]
    normal = [spot for spot in review.spots if spot.by == "normals"]
    missed, anomalies = sum(spot.wrong for spot in typed), sum(spot.items for spot in typed)
    flagged, normals = sum(spot.wrong for spot in normal), sum(spot.items for spot in normal)
    return f"{missed} of {anomalies} real anomalies are missed and {flagged} of {normals} normal items flagged"
