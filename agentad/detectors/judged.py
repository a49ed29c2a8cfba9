"""What a head learns from: encoded items beside what the unsupervised detector says of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from agentad.backbones.encoder import Image
from agentad.detectors.base import Floats, Scores, State
from agentad.detectors.base import joined as joined_scores


@dataclass(frozen=True)
class Pictures:
    """The images behind n encoded items."""

    encoder: Any
    """What encoded them."""
    read: tuple[Callable[[], Image], ...]
    """(n,) each gives an image when it is wanted, so that not all of them are in memory."""

    def take(self, index: NDArray[Any]) -> Pictures:
        """Those at `index` (integers or a mask), in that order."""
        return Pictures(self.encoder, tuple(self.read[i] for i in np.arange(len(self.read))[index].tolist()))


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
    pictures: Pictures | None = None
    """For heads that have `uses_images = True`; others need none."""

    def __len__(self) -> int:
        return len(self.x)

    def take(self, index: NDArray[Any]) -> Judged:
        """The items at `index` (integers or a mask), in that order."""
        where = None if self.where is None else self.where[index]
        group = None if self.group is None else self.group[index]
        pictures = None if self.pictures is None else self.pictures.take(index)
        return Judged(self.x[index], self.scores.take(index), where, group, pictures)


def joined(parts: Sequence[Judged]) -> Judged:
    """The items of one or more parts, one after the other; every item for itself."""
    where = [part.where for part in parts if part.where is not None]
    pictures = [part.pictures for part in parts if part.pictures is not None]
    return Judged(
        np.concatenate([part.x for part in parts]),
        joined_scores([part.scores for part in parts]),
        np.concatenate(where) if where else None,
        pictures=Pictures(pictures[0].encoder, sum((one.read for one in pictures), ()))
        if len(pictures) == len(parts)
        else None,
    )


class Head(Protocol):
    """Learns from few labels on top of a detector. Constructor parameters are keyword-only, those of the tool card.

    One that has `uses_images = True` gets `Judged.pictures` with all items of `fit` and `score`.
    """

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
