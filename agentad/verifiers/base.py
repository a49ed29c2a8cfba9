"""What verifiers look at and what they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from agentad.detectors.base import Floats
from agentad.detectors.judged import Judged

Pixels = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Good = Literal["real", "made"]
"""Where good items come from: real anomalies, or obvious manipulations of normals."""
Fault = Literal["invisible", "misplaced", "mismatched", "loose", "outside", "garbage", "mistyped"]
"""What can be wrong with an item: nothing was changed; the mask is elsewhere, on a real anomaly or on one whose base is
known; it is far too large; it lies off the object; the item is like nothing real; it claims another type. `known` makes
samples of each."""


@dataclass(frozen=True)
class Candidates:
    """n items, real or invented, as verifiers see them."""

    judged: Judged
    """Encoded, with the unsupervised detector's scores; for images `where` says what the masks cover."""
    kind: NDArray[np.object_]
    """(n,) str: type of anomaly, or empty."""
    images: Sequence[Pixels] | None = None
    """n images (height, width, 3); None for rows."""
    masks: Sequence[Mask] | None = None
    """n masks (height, width)."""
    bases: Sequence[Pixels] | None = None
    """n normal images that the items were made from; None for real items and for rows."""

    def __len__(self) -> int:
        return len(self.judged)

    def take(self, index: NDArray[Any]) -> Candidates:
        """The items at the positions `index` (integers), in that order."""
        at = index.tolist()
        return Candidates(
            self.judged.take(index),
            self.kind[index],
            self.images and [self.images[i] for i in at],
            self.masks and [self.masks[i] for i in at],
            self.bases and [self.bases[i] for i in at],
        )


class Verifier(Protocol):
    """Measures how good invented anomalies are. Constructor parameters are keyword-only.

    One that has `reasons` says after `measure`, for each of its items, why, or nothing.
    """

    name: str
    checks: str
    """What it asks, as a clause: `whether anything can be seen`."""
    catches: tuple[Fault, ...]
    """The faults it is meant to catch, and is tried on."""
    good: tuple[Good, ...]
    """The known good items that it is tried on; made ones beside real ones only where real ones are few."""
    costly: bool
    """It is tried on few samples, and asked only about items that all others let pass."""

    def fit(self, normal: Candidates, real: Candidates, *, seed: int = 0) -> Self:
        """Learn from normal items (their masks are empty) and real anomalies, perhaps none."""
        ...

    def measure(self, items: Candidates) -> Floats:
        """(n,) higher = better; NaN where it abstains."""
        ...
