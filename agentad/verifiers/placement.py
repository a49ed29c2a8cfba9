"""Whether the mask lies on the object."""

from __future__ import annotations

from typing import Self

import numpy as np
from scipy import ndimage

from agentad.detectors.base import Floats
from agentad.generators.images.foreground import Foreground
from agentad.verifiers.base import Candidates, Fault, Good, Mask, Pixels

BESIDE = 0.02
"""Share of the image's longer side by which a defect may stand off the object."""


class Placement:
    """Share of the mask that lies on the object, 0 to 1, higher = better.

    The object is told from the background as normal images show it (`Foreground`), on the image or on the base that it
    was made from. It abstains where there is no background, on empty masks and on rows.
    """

    name = "placement"
    checks = "whether the mask lies on the object"
    catches: tuple[Fault, ...] = ("outside",)
    good: tuple[Good, ...] = ("real", "made")
    costly = False

    def fit(self, normal: Candidates, real: Candidates, *, seed: int = 0) -> Self:
        """Learn what is background from normal images."""
        self._foreground = Foreground.fit(normal.images) if normal.images else Foreground(None)
        return self

    def measure(self, items: Candidates) -> Floats:
        """(n,) 0 to 1."""
        values = np.full(len(items), np.nan)
        if items.images is None or items.masks is None or self._foreground.threshold is None:
            return values
        for i, (image, mask) in enumerate(zip(items.images, items.masks, strict=True)):
            if mask.any():
                values[i] = self._object(image, None if items.bases is None else items.bases[i])[mask].mean()
        return values

    def _object(self, image: Pixels, base: Pixels | None) -> Mask:
        """Where the object is, or was before a part of it went missing, and a little around it."""
        found = self._foreground.of(image)
        if base is not None:
            found = found | self._foreground.of(base)
        beside = round(BESIDE * max(image.shape[:2]))
        return np.asarray(ndimage.maximum_filter(found, 2 * beside + 1), dtype=np.bool_)
