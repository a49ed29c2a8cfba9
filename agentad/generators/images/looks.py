"""What a drawn anomaly looks like: changes of a normal image, by shape.

Contrast is in grey levels and at least twice the local deviation, so that it shows on a rough surface too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from agentad.flow.brief import Shape
from agentad.generators.images.base import Mask
from agentad.generators.images.blend import Floats, harmonic
from agentad.generators.images.shapes import noise

CONTRAST = (45.0, 75.0)
"""Grey levels."""
DARK = 60.0
"""Below this brightness what is dark elsewhere is bright."""
BRIGHT = 185.0
COLOUR = 4.0
"""Grey levels between the channels from which an image has colour."""


@dataclass(frozen=True)
class Site:
    """Where a change is to be made: a box of a normal image."""

    piece: Floats
    """(h, w, 3)"""
    inside: Mask
    """(h, w), not empty."""
    object: Mask
    """(h, w)"""

    @property
    def light(self) -> float:
        """Mean brightness inside."""
        return float(self.piece[self.inside].mean())

    @property
    def grey(self) -> bool:
        """Whether there is no colour here."""
        return bool(np.ptp(self.piece, axis=-1).mean() < COLOUR)

    def contrast(self, rng: np.random.Generator) -> float:
        """Grey levels that are seen here."""
        return float(max(rng.uniform(*CONTRAST), 2 * self.piece[self.inside].mean(axis=-1).std()))


Look = Callable[[Site, np.random.Generator], Floats]
"""The change (h, w, 3), whose value outside does not matter."""


def _scratch(site: Site, rng: np.random.Generator) -> Floats:
    """A line lighter or darker than what it runs over, unevenly deep."""
    sign = 1 if site.light < DARK else -1 if site.light > BRIGHT else rng.choice([-1, 1])
    depth = 1 + 0.2 * noise(site.inside.shape, rng)
    return _grey(sign * site.contrast(rng) * np.clip(depth, 0.5, 1.5))


def _hole(site: Site, rng: np.random.Generator) -> Floats:
    """A dark ground with what is left of the texture; light where the surface is dark itself."""
    if site.light < DARK:
        return _grey(np.full(site.inside.shape, site.contrast(rng)))
    ground = site.piece[site.inside].mean(axis=0) * rng.uniform(0.1, 0.3)
    return np.asarray((ground - site.piece) * rng.uniform(0.85, 0.95), dtype=np.float32)


def _stain(site: Site, rng: np.random.Generator) -> Floats:
    """A tint, even but for slow changes, which leaves the texture."""
    tint = rng.uniform(-1, 1, 1 if site.grey else 3)
    tint = tint / np.abs(tint).max()
    sign = 1 if site.light < DARK else -1 if site.light > BRIGHT else rng.choice([-1, 1])
    tint = sign * np.abs(tint) if site.light < DARK or site.light > BRIGHT else tint
    even = np.clip(0.85 + 0.12 * noise(site.inside.shape, rng, finest=4), 0.5, 1.1)
    return np.asarray(site.contrast(rng) * even[..., None] * tint, dtype=np.float32)


def _crack(site: Site, rng: np.random.Generator) -> Floats:
    """Dark; light where the surface is dark itself."""
    sign = 1 if site.light < DARK else -1
    return _grey(np.full(site.inside.shape, sign * site.contrast(rng) * 1.2))


def _missing(site: Site, rng: np.random.Generator) -> Floats:
    """The background instead of the object; where none is near, a smooth ground in another brightness."""
    around = ~site.object if not site.object.all() else ~site.inside
    fill = harmonic(site.piece, around)
    if not site.object.all():
        grain = site.piece - ndimage.gaussian_filter(site.piece, (2, 2, 0))
        grains = grain[around]
        return np.asarray(
            fill + grains[rng.integers(len(grains), size=site.inside.shape)] - site.piece, dtype=np.float32
        )
    sign = 1 if site.light < DARK else -1
    return np.asarray(fill + sign * site.contrast(rng) - site.piece, dtype=np.float32)


LOOKS: Mapping[Shape, Look] = {
    "scratch": _scratch,
    "hole": _hole,
    "stain": _stain,
    "crack": _crack,
    "missing": _missing,
}


def _grey(change: np.ndarray) -> Floats:
    return np.repeat(change[..., None], 3, axis=-1).astype(np.float32)
