"""Defects painted from the patches of a few real ones by their exact denoiser: no training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray

from agentad.diffusion.local_score import grown, paint
from agentad.errors import InputError
from agentad.flow import Brief
from agentad.generators.images.base import Defect, DrawnImage, Mask, Pixels, Progress
from agentad.generators.images.foreground import rotation, turn_between
from agentad.generators.images.masks import Move, Outline, Outlines, Scene
from agentad.generators.images.moved import lit, moved
from agentad.generators.images.windows import Window, changed, window_of

Floats32 = NDArray[np.float32]
_LEAST_SIDE = 64
"""Of the window that is painted, in pixels."""
_NOISE = 0.5
"""σ to begin at from noise, in units of the range from black to white."""
_MARGIN = 2
"""Pixels around a real outline whose patches count as well, so that borders are known."""


class LocalScoreDiffusion:
    """Paints outlines with patches of real defects of the type: `agentad.diffusion.local_score`.

    Args:
        start: `paste` begins at a real defect's pixels, moved to where the outline came to lie; `noise` at noise.
        strength: how far from its start a sample may go: the first σ over that of noise; for `paste`.
        patch: odd side of the patches, in pixels.
        sampling_steps: DDIM steps at each of three scales.
        references: patches at most, drawn anew for each sample.
    """

    fewest = 1

    def __init__(
        self,
        *,
        start: str = "paste",
        strength: float = 0.4,
        patch: int = 7,
        sampling_steps: int = 6,
        references: int = 4000,
    ) -> None:
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
            raise InputError("local-score diffusion paints with patches of real defects and there is none; give one")
        if self.patch % 2 == 0:
            raise InputError(
                f"local-score-diffusion.patch = {self.patch}: a patch has a middle pixel; give an odd side"
            )
        self._normal, self._defects = list(normal), list(defects)
        self._outlines = Outlines().fit(normal, defects)
        self._scenes = [self._outlines.scene(defect.image) for defect in defects]
        if progress is not None:
            progress(1, 1)
        return self

    def sample(self, briefs: Sequence[Brief], normal: Sequence[int], *, seed: int = 0) -> list[DrawnImage | None]:
        """See `ImageGenerator.sample`. A brief's text is not read.

        Raises:
            InputError: a brief's type is not among the defects'.
        """
        return [self._one(brief, index, (seed, k)) for k, (brief, index) in enumerate(zip(briefs, normal, strict=True))]

    def _one(self, brief: Brief, index: int, seed: tuple[int, int]) -> DrawnImage | None:
        rng = np.random.default_rng(seed)
        image = self._normal[index]
        scene = self._outlines.scene(image)
        outline = self._outlines.draw(brief, scene, rng)
        if outline is None:
            return None
        window = window_of(outline.mask, _LEAST_SIDE)
        box = window.slices
        pasted = self.start == "paste" and outline.move is not None
        begin = image[box].astype(np.float32)
        if pasted and outline.move is not None:
            begin = moved(self._defects[outline.anomaly], outline.move, image, outline.mask, box)
        painted = paint(
            begin / 255,
            outline.mask[box],
            self._sources(image, scene, outline, window),
            highest=_NOISE * (self.strength if pasted else 1.0),
            steps=self.sampling_steps,
            size=self.patch,
            most=self.references,
            seed=seed,
        )
        change = np.zeros(image.shape, dtype=np.float32)
        change[box] = (255 * painted - image[box]) * rng.uniform(*brief.strength)
        found = changed(image, change, outline.mask)
        return found and DrawnImage(*found, index, outline.anomaly, outline.kind)

    def _sources(self, image: Pixels, scene: Scene, outline: Outline, window: Window) -> list[tuple[Floats32, Mask]]:
        """Real defects of the type as they would lie in the window, from 0 to 1, and where their patches' middles are."""
        own = self._defects[outline.anomaly]
        found = []
        for defect, there in zip(self._defects, self._scenes, strict=True):
            if defect.kind != own.kind:
                continue
            if defect is own and outline.move is not None:
                move = outline.move
            else:
                back = rotation(-turn_between(there.pose, scene.pose))
                move = Move(back, np.argwhere(defect.mask).mean(axis=0), np.argwhere(outline.mask).mean(axis=0))
            mask = move.warp(defect.mask.astype(np.float32), window.slices, 1) > 0.5
            if mask.any():
                found.append((lit(defect, move, image, mask, window.slices) / 255, grown(mask, _MARGIN)))
        return found
