"""What a detector is: fitted on encoded items, scoring encoded items, saved as arrays and plain JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.integer[Any]]


@dataclass(frozen=True)
class Scores:
    """Scores of n items. Higher = more anomalous, everywhere."""

    item: Floats
    """(n,)"""
    local: Floats | None = None
    """(n, h, w) per patch for images; (n, d) contribution of each encoded column for tables."""
    expected: Floats | None = None
    """(n, d) the denoised row, in the encoder's units. Tables only."""
    doubt: Floats | None = None
    """(n, h, w) how far the parts of a fused detector disagree about a patch, 0 (not at all) to 1; None of a detector
    with one part. `rarity.disagreement` makes it. Images only."""
    category: Ints | None = None
    """(n,) which category each item was judged as; None of detectors that were told of none."""

    def take(self, index: NDArray[Any]) -> Scores:
        """The scores of the items at `index` (integers or a mask)."""
        local, expected, doubt = (a if a is None else a[index] for a in (self.local, self.expected, self.doubt))
        category = None if self.category is None else self.category[index]
        return Scores(self.item[index], local, expected, doubt, category)


def joined(parts: Sequence[Scores]) -> Scores:
    """The scores of one or more parts, one after the other; of what only some have, nothing."""
    names = ("local", "expected", "doubt", "category")
    return Scores(np.concatenate([part.item for part in parts]), *(_joined(parts, name) for name in names))


def _joined(parts: Sequence[Scores], name: str) -> NDArray[Any] | None:
    arrays = [getattr(part, name) for part in parts]
    return None if any(array is None for array in arrays) else np.concatenate(arrays)


@dataclass(frozen=True)
class State:
    """A fitted detector as safetensors can hold it: arrays, and settings that survive JSON."""

    arrays: dict[str, NDArray[Any]]
    settings: dict[str, Any]


class Detector(Protocol):
    """A scoring rule over encoded items.

    Encoded items are (n, d) for tables and (n, h, w, c) for images. Constructor parameters are keyword-only and are
    exactly those of the tool card. One that has `uses_layout = True` gets, as a further keyword of `fit` on tables,
    `layout`: the encoder's `modalities.table.Layout`. One that has `uses_categories = True` gets, where images are of
    several categories, `categories` (n,) as a further keyword of `fit`, `score` and `nearest`: integers from 0, and of
    `score` and `nearest` -1 where the category is not known. Its property `categories` says how many it was told of.
    """

    held_out: Scores
    """After `fit`: the scores of the training items, each scored by a fit that saw neither it nor its group."""

    def fit(self, x: Floats, *, groups: Ints | None = None, seed: int = 0) -> Self:
        """Learn from `x`. Items that share a value of `groups` (n,) never judge each other in `held_out`."""
        ...

    def score(self, x: Floats) -> Scores:
        """Score items that were not part of `fit`."""
        ...

    def state(self) -> State:
        """Everything `restore` needs; no pickle, no code."""
        ...

    @classmethod
    def restore(cls, state: State) -> Self:
        """The detector that `state` came from; it scores the same."""
        ...
