"""Defects painted from the patches of a few real ones by their exact denoiser: no training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from agentad.diffusion.local_score import grown, paint
from agentad.errors import InputError
from agentad.generators.images.base import Defect, Mask, Pixels, Progress
from agentad.generators.images.foreground import rotation, turn_between
from agentad.generators.images.masks import Move, Outline
from agentad.generators.images.repainted import Repainted
from agentad.generators.images.windows import Window

Floats32 = NDArray[np.float32]
_NOISE = 0.5
"""σ to begin at from noise, where 1 is the way from black to white."""
_MARGIN = 2
"""Pixels around a real outline whose patches count as well, so that borders are known."""
_RING = 4
"""Width in pixels of the surroundings whose colours are compared."""


class LocalScoreDiffusion(Repainted):
    """Paints outlines with patches of real defects of the type: `agentad.diffusion.local_score`.

    Args:
        start: `paste` begins at residual paste; `noise` at noise.
        strength: how far from its start a sample may go: the first σ over that of noise; for `paste`.
        patch: odd side of the patches, in pixels.
        sampling_steps: DDIM steps at each of three scales.
        references: patches at most, drawn anew for each sample.
        tries: places that are compared for each defect, as residual paste does.
    """

    def __init__(
        self,
        *,
        start: str = "paste",
        strength: float = 0.1,
        patch: int = 7,
        sampling_steps: int = 6,
        references: int = 4000,
        tries: int = 6,
    ) -> None:
        super().__init__(tries=tries)
        self.start = start
        self.strength = strength
        self.patch = patch
        self.sampling_steps = sampling_steps
        self.references = references

    def fit(
        self,
        normal: Sequence[Pixels],
        defects: Sequence[Defect],
        *,
        seed: int = 0,
        progress: Progress | None = None,
    ) -> Self:
        """Keep the images, and learn where defects lie on the object.

        Raises:
            InputError: no defect, no normal image, or patches of an even side.
        """
        if not defects:
            raise InputError(
                "local-score-diffusion paints with real defects and there is none; use manipulated-normals"
            )
        if self.patch % 2 == 0:
            raise InputError(
                f"local-score-diffusion.patch = {self.patch}: a patch has a middle pixel; give an odd side"
            )
        return super().fit(normal, defects, seed=seed, progress=progress)

    def _painted(
        self, image: Pixels, start: Floats32, region: Mask, window: Window, outline: Outline, seed: Sequence[int]
    ) -> Floats32:
        references = self._references(image, window, outline)
        begin = start / np.float32(255)
        if self.start == "noise" and references:  # nothing of the paste is left to start from
            begin[region] = np.mean([there[inside].mean(axis=0) for there, inside in references], axis=0)
        return 255 * paint(
            begin,
            region,
            references,
            highest=_NOISE * (self.strength if self.start == "paste" else 1.0),
            steps=self.sampling_steps,
            size=self.patch,
            most=self.references,
            seed=seed,
        )

    def _references(self, image: Pixels, window: Window, outline: Outline) -> list[tuple[Floats32, Mask]]:
        """Real defects of the type as they would lie in the window, 0 to 1, and where their patches' middles are."""
        own = self._outlines.sources[outline.anomaly]
        pose = self._outlines.scene(image).pose
        found = []
        for k, source in enumerate(self._outlines.sources):
            if source.kind != own.kind:
                continue
            move = outline.move if k == outline.anomaly else None
            if move is None:
                back = rotation(-turn_between(source.scene.pose, pose))
                move = Move(back, source.middle, np.argwhere(outline.mask).mean(axis=0))
            mask = np.asarray(move.warp(source.mask, window.box) > 0.5)
            if mask.any():
                found.append((_lit(self._seen(k, move, window.box), image[window.box], mask), grown(mask, _MARGIN)))
        return found


def _lit(there: NDArray[np.floating], here: Pixels, mask: Mask) -> Floats32:
    """A defect's surroundings (s, s, 3) made as light as those `here`, judged around `mask`; from 0 to 1."""
    ring = ndimage.binary_dilation(mask, iterations=_RING) & ~mask
    lighter = np.median(here[ring] - there[ring], axis=0) if ring.any() else np.zeros(3)
    return np.asarray(np.clip(there + lighter, 0, 255) / 255, dtype=np.float32)
