"""What a head learns from: encoded items beside what the unsupervised detector says of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from agentad.detectors.base import Floats, Scores, State
from agentad.detectors.base import joined as joined_scores


@dataclass(frozen=True)
class Judged:
    """n encoded items and their scores."""

    x: Floats
    """(n, d) rows, or (n, h, w, c) patches of images."""
    scores: Scores
    """By the unsupervised detector; held out where it learned from the items."""
    where: NDArray[np.floating[Any]] | None = None
    """Images: (n, h, w) share of each patch that is anomalous, 0 to 1, all 0 for normal images. None for rows.

    Heads may take it finer, as they say; `patch-head` learns from (n, 3 h, 3 w) better than from (n, h, w)."""
    group: NDArray[np.integer[Any]] | None = None
    """(n,) items of one group never judge each other; None: every item for itself."""

    def __len__(self) -> int:
        return len(self.x)

    def take(self, index: NDArray[Any]) -> Judged:
        """The items at `index` (integers or a mask), in that order."""
        where = None if self.where is None else self.where[index]
        group = None if self.group is None else self.group[index]
        return Judged(self.x[index], self.scores.take(index), where, group)


def joined(parts: Sequence[Judged]) -> Judged:
    """The items of one or more parts, one after the other; every item for itself."""
    where = [part.where for part in parts if part.where is not None]
    return Judged(
        np.concatenate([part.x for part in parts]),
        joined_scores([part.scores for part in parts]),
        np.concatenate(where) if where else None,
    )


class Head(Protocol):
    """Learns from few labels on top of a detector. Constructor parameters are keyword-only, those of the tool card."""

    held_out: Scores
    """After `fit`: scores of the normal items, each by a part that has not seen it or its group."""

    def fit(self, normal: Judged, real: Judged, invented: Judged | None = None, *, seed: int = 0) -> Self:
        """Learn from normal items, real anomalies (perhaps none) and invented ones (perhaps none, not both)."""
        ...

    def score(self, items: Judged) -> Scores:
        """Scores of items. Higher = more anomalous."""
        ...

    def state(self) -> State:
        """Arrays and plain JSON."""
        ...

    @classmethod
    def restore(cls, state: State) -> Self:
        """The head that `state` came from, without `held_out`."""
        ...
