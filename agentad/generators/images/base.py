"""What a generator of image anomalies is: fitted on normal images and the few defects there are, drawing by brief."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from agentad.flow import Brief

Pixels = NDArray[np.uint8]
"""(height, width, 3) RGB."""
Mask = NDArray[np.bool_]
"""(height, width), True where anomalous."""
Progress = Callable[[int, int], None]
"""(done, total)"""


@dataclass(frozen=True)
class Defect:
    """A real anomalous image to learn from."""

    image: Pixels
    mask: Mask
    """Of the image's size, not empty."""
    kind: str
    """Its type, or empty."""


@dataclass(frozen=True)
class DrawnImage:
    """One invented anomaly."""

    image: Pixels
    """The normal image it stands on, changed where `mask` is True and nowhere else."""
    mask: Mask
    """Where the change is visible."""
    normal: int
    """Index of the normal image it stands on."""
    anomaly: int
    """Index of the defect it was made from, -1 for none."""
    kind: str
    """Type of the defect it is like, the brief's shape where there is none, or empty."""


class ImageGenerator(Protocol):
    """A way to invent image anomalies. Constructor parameters are keyword-only and are those of the tool card."""

    fewest: int
    """Real defects it needs."""

    def fit(
        self,
        normal: Sequence[Pixels],
        defects: Sequence[Defect],
        *,
        seed: int = 0,
        progress: Progress | None = None,
    ) -> Self:
        """Learn from normal images and defects, which may differ in size.

        Raises:
            InputError: fewer than `fewest` defects.
        """
        ...

    def sample(self, briefs: Sequence[Brief], normal: Sequence[int], *, seed: int = 0) -> list[DrawnImage | None]:
        """One anomaly for each brief, on the normal image of that index. The same seed gives the same images.

        None where this normal image has no place for it.
        """
        ...
