"""Which items the page shows. A thousand images must not become a thousand pictures."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agentad import flow

WORST, NEAR, MISSED, RAISED = 12, 8, 8, 8


@dataclass(frozen=True)
class Picked:
    """Items by why they are worth a look. An item may be in several groups; the page shows it in the first."""

    worst: tuple[flow.ScoredItem, ...]
    """Highest scores first."""
    near: tuple[flow.ScoredItem, ...]
    """Just above and just below the threshold, highest first."""
    missed: tuple[flow.ScoredItem, ...]
    """Labelled anomalous and not flagged, lowest scores first."""
    raised: tuple[flow.ScoredItem, ...]
    """Labelled normal and flagged, highest scores first."""

    @property
    def ids(self) -> tuple[str, ...]:
        """Each shown item once, in the order of the page."""
        return tuple(dict.fromkeys(i.id for i in (*self.worst, *self.near, *self.missed, *self.raised)))


def pick(items: Sequence[flow.ScoredItem], threshold: float, labels: Mapping[str, int] | None = None) -> Picked:
    """At most 12 worst, 8 around the threshold, 8 missed and 8 falsely raised. Ties fall back to the id."""
    known = labels or {}
    worst = tuple(_highest(items, WORST))
    shown = {i.id for i in worst}
    rest = [i for i in items if i.id not in shown]
    above = _lowest([i for i in rest if i.score > threshold], NEAR // 2)
    below = _highest([i for i in rest if i.score <= threshold], NEAR // 2)
    missed = _lowest([i for i in items if known.get(i.id) == 1 and not i.flag], MISSED)
    raised = _highest([i for i in items if known.get(i.id) == 0 and i.flag], RAISED)
    return Picked(worst, (*reversed(above), *below), tuple(missed), tuple(raised))


def _highest(items: Sequence[flow.ScoredItem], n: int) -> list[flow.ScoredItem]:
    return heapq.nsmallest(n, items, key=lambda i: (-i.score, i.id))


def _lowest(items: Sequence[flow.ScoredItem], n: int) -> list[flow.ScoredItem]:
    return heapq.nsmallest(n, items, key=lambda i: (i.score, i.id))
