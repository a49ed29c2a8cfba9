"""Ways to choose what the next round makes, by name, so that they can be compared: portions from what is known so far.

None of them picks samples near the detector's boundary: that was measured to do nothing. `random` asks for as many
portions as `confusion` would, and is what the others have to beat; `even` asks for every type alike.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from agentad.errors import AgentadError
from agentad.flow import Brief, Mix, Place, Portion, Spot

SMALL, LARGE = 0.005, 0.03
"""Shares of the image that small defects reach up to, and large ones begin above."""
SIZES = {"small": (0.0005, SMALL), "medium": (SMALL, LARGE), "large": (LARGE, 0.2)}
PLACES: dict[str, Place] = {"centre": "centre", "edge": "edge"}
STRENGTHS = {"faint": (0.5, 1.0), "strong": (1.0, 1.5)}
"""Of faint defects some are made fainter than the real ones, of strong ones stronger."""
MOST_PORTIONS = 12
PRIOR = 0.5
"""Misses that every group is taken to have besides those counted: what is not missed today is still made sometimes."""
CONDITIONED = 0.5
"""Share of a mix by misses that asks for the size, place or strength that is missed most; the rest leaves them free."""
MOST_HARD = 0.5
"""Share of samples made from hard normals, at most, where a strategy is not about these."""
ONLY_HARD = 0.75
"""Their share where it is."""


@dataclass(frozen=True)
class Cell:
    """Real defects of one type, size and place."""

    kind: str
    size: str
    """Of `SIZES`."""
    place: str
    """Of `PLACES`."""
    real: int
    """Real anomalies in it."""
    made: int = 0
    """Invented ones learned from so far."""


@dataclass(frozen=True)
class Review:
    """What a critic knows after a round. Texts in it come from the data."""

    spots: tuple[Spot, ...] = ()
    """Where the detector in place is wrong; none before the first round."""
    kinds: tuple[str, ...] = ()
    """Types of the real anomalies that generators can be asked for."""
    previous: Mix | None = None
    made: int = 0
    """Samples of the last round that passed the verifiers."""
    rejected: Mapping[str, int] = field(default_factory=dict)
    """By verifier: samples of the last round that it rejected."""
    adopted: tuple[bool, ...] = ()
    """What the gate decided of each round so far, in order."""
    cells: tuple[Cell, ...] = ()
    """Where the real defects lie, for `coverage`."""
    gaps: Mapping[str, float] = field(default_factory=dict)
    """By type: how far its invented samples are from the real ones, for `feature-gap`; larger = farther."""
    masks: bool = True
    """Whether size, place and strength can be asked for: images, not rows."""


Strategy = Callable[[Review, np.random.Generator], tuple[Portion, ...]]


def even(review: Review, rng: np.random.Generator) -> tuple[Portion, ...]:
    """Every type alike, nothing else asked for."""
    return tuple(Portion(brief=Brief(kind=kind)) for kind in _kinds(review))


def confusion(review: Review, rng: np.random.Generator) -> tuple[Portion, ...]:
    """Types in proportion to their misses; half of that at the size, place and strength missed most; normals flagged.

    The share made from hard normals is that of flagged normals among all mistakes, at most `MOST_HARD`.
    """
    wrong = {spot.value: spot.wrong for spot in review.spots if spot.by == "type"}
    hard = _hard(review.spots)
    kinds = _kinds(review)
    typed = [_portion(wrong.get(kind or "", 0) + PRIOR, Brief(kind=kind), hard) for kind in kinds]
    conditions = _conditions(review) if review.masks else []
    if not conditions:
        return tuple(typed)
    room = max(1, MOST_PORTIONS // 2)
    worst = sorted(typed, key=lambda portion: -portion.weight)[: MOST_PORTIONS - room]
    most = worst[: max(1, room // len(conditions))]
    whole = sum(portion.weight for portion in worst)
    part = sum(portion.weight for portion in most) * len(conditions)
    free = [_portion(portion.weight * (1 - CONDITIONED) / whole, portion.brief, hard) for portion in worst]
    asked = [
        _portion(portion.weight * CONDITIONED / part, portion.brief.model_copy(update=condition), hard)
        for portion in most
        for condition in conditions
    ]
    return (*free, *asked)


def coverage(review: Review, rng: np.random.Generator) -> tuple[Portion, ...]:
    """Every type, size and place that real defects have, the less it has been made the more.

    Each occupied cell should come to the same number: its weight is how far it is behind the one made most, plus one.

    Raises:
        AgentadError: no cells are known.
    """
    cells = [cell for cell in review.cells if cell.real]
    if not cells:
        raise AgentadError(
            "critic: coverage needs to know where the real defects lie, which takes masks; use confusion"
        )
    most = max(cell.made for cell in cells)
    cells = sorted(cells, key=lambda cell: (cell.made, -cell.real, cell.kind, cell.size, cell.place))[:MOST_PORTIONS]
    return tuple(
        Portion(
            weight=most - cell.made + 1,
            brief=Brief(kind=cell.kind or None, size=SIZES[cell.size], place=PLACES[cell.place]),
        )
        for cell in cells
    )


def hard_normals(review: Review, rng: np.random.Generator) -> tuple[Portion, ...]:
    """Every type alike, mostly made from the normal items that look most like defects."""
    return tuple(portion.model_copy(update={"hard_normals": ONLY_HARD}) for portion in even(review, rng))


def feature_gap(review: Review, rng: np.random.Generator) -> tuple[Portion, ...]:
    """Types in proportion to how far their invented samples are from the real ones.

    Raises:
        AgentadError: the distances are not known.
    """
    gaps = {kind: gap for kind, gap in known_gaps(review).items() if gap > 0}
    if not gaps:
        raise AgentadError("critic: feature-gap needs the distance of each type's samples to real ones; use confusion")
    worst = sorted(gaps, key=lambda kind: (-gaps[kind], kind))[:MOST_PORTIONS]
    return tuple(Portion(weight=gaps[kind], brief=Brief(kind=kind)) for kind in worst)


def random(review: Review, rng: np.random.Generator) -> tuple[Portion, ...]:
    """As many portions as `confusion` asks for, of types, sizes, places and weights drawn blindly."""
    kinds = _kinds(review)
    portions = []
    for _ in confusion(review, rng):
        conditions = {}
        if review.masks:
            conditions = {
                "size": list(SIZES.values())[rng.integers(len(SIZES))],
                "place": list(PLACES.values())[rng.integers(len(PLACES))],
                "strength": list(STRENGTHS.values())[rng.integers(len(STRENGTHS))],
            }
        brief = Brief(kind=kinds[rng.integers(len(kinds))]).model_copy(update=conditions)
        portions.append(_portion(float(rng.exponential()), brief, float(rng.uniform(0, MOST_HARD))))
    return tuple(portions)


STRATEGIES: dict[str, Strategy] = {
    "confusion": confusion,
    "coverage": coverage,
    "even": even,
    "feature-gap": feature_gap,
    "hard-normals": hard_normals,
    "random": random,
}


def known_gaps(review: Review) -> dict[str, float]:
    """The distances that are numbers, of types that exist."""
    return {kind: review.gaps[kind] for kind in review.kinds if math.isfinite(review.gaps.get(kind, math.nan))}


def _kinds(review: Review) -> list[str | None]:
    """The types to ask for, the most missed first if there are too many; [None] where there is none."""
    if not review.kinds:
        return [None]
    wrong = {spot.value: spot.wrong for spot in review.spots if spot.by == "type"}
    return list(sorted(review.kinds, key=lambda kind: (-wrong.get(kind, 0), kind))[:MOST_PORTIONS])


def _portion(weight: float, brief: Brief, hard: float) -> Portion:
    return Portion(weight=max(round(weight, 4), 1e-4), brief=brief, hard_normals=round(hard, 3))


def _hard(spots: Sequence[Spot]) -> float:
    flagged = sum(spot.wrong for spot in spots if spot.by == "normals")
    missed = sum(spot.wrong for spot in spots if spot.by == "type")
    return min(MOST_HARD, flagged / (flagged + missed)) if flagged else 0.0


def _conditions(review: Review) -> list[dict[str, object]]:
    """For size, place and strength, what to ask for: the value with most of the misses and a higher rate than all."""
    options: dict[str, Mapping[str, object]] = {"size": SIZES, "place": PLACES, "strength": STRENGTHS}
    found = []
    for by, words in options.items():
        own = [spot for spot in review.spots if spot.by == by and spot.value in words]
        rate = sum(spot.wrong for spot in own) / max(1, sum(spot.items for spot in own))
        worse = [spot for spot in own if spot.wrong > rate * spot.items]
        if worse:
            found.append({by: words[max(worse, key=lambda spot: (spot.wrong, spot.value)).value]})
    return found
