"""What verifiers look at and what they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from agentad.detectors.base import Floats
from agentad.detectors.judged import Judged

Pixels = NDArray[np.uint8]
Mask = NDArray[np.bool_]


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
    """Measures how good invented anomalies are. Constructor parameters are keyword-only."""

    name: str
    checks: str
    """What it asks, as a clause: `whether anything can be seen`."""

    def fit(self, normal: Candidates, real: Candidates, *, seed: int = 0) -> Self:
        """Learn from normal items (their masks are empty) and real anomalies, perhaps none."""
        ...

    def measure(self, items: Candidates) -> Floats:
        """(n,) higher = better; NaN where it abstains."""
        ...
