"""Real defects carried to normal images: what the few real ones look like, where and as their type occurs.

Of several ways to lay a defect onto the normal image (`masks.Outlines`) the one is taken whose surroundings fit best.
It is grafted there (`blend.grafted`): the residual of the defect against a smooth continuation of its surroundings, on
such a continuation of the new ones. An outline that was drawn is filled with that residual instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np
from scipy import ndimage

from agentad.errors import InputError
from agentad.flow import Brief
from agentad.generators.images.base import Defect, DrawnImage, Pixels, Progress
from agentad.generators.images.blend import Box, Floats, around, grafted, harmonic
from agentad.generators.images.masks import Move, Outline, Outlines, Scene
from agentad.generators.images.trial import Change, drawn_by

MARGIN = 2
"""Pixels around a real defect's outline that come with it."""
RING = 4
"""Pixels around an outline that are compared."""
GONE = 0.5
"""Share of a defect on the object below which it is a missing part."""
PLAIN = 0.5
"""Part of the misfit that is not made up for by a shift in colour."""


class ResidualPaste:
    """Pastes real defects into normal images.

    Args:
        tries: places that are compared for each defect; the one whose surroundings fit best is taken.
    """

    fewest = 1

    def __init__(self, *, tries: int = 6) -> None:
        self.tries = tries

    def fit(
        self,
        normal: Sequence[Pixels],
        defects: Sequence[Defect],
        *,
        seed: int = 0,
        progress: Progress | None = None,
    ) -> Self:
        """Learn where objects are, and where on them the defects. The normal images are kept as they are given.

        Raises:
            InputError: no defect, or no normal image.
        """
        if len(defects) < self.fewest:
            raise InputError(
                "residual-paste takes anomalies from real defects and there is none; use manipulated-normals"
            )
        self._normal, self._defects = normal, list(defects)
        self._outlines = Outlines().fit(normal, defects)
        self._pieces = [defect.image.astype(np.float32) for defect in defects]
        if progress is not None:
            progress(1, 1)
        return self

    def sample(self, briefs: Sequence[Brief], normal: Sequence[int], *, seed: int = 0) -> list[DrawnImage | None]:
        """One anomaly for each brief, on the normal image of that index. The same seed gives the same images.

        None where this normal image has no place for it, or it could not be seen there.

        Raises:
            InputError: a brief's type is none of the defects'.
        """
        return [
            self._one(brief, index, np.random.default_rng([seed, k]))
            for k, (brief, index) in enumerate(zip(briefs, normal, strict=True))
        ]

    def _one(self, brief: Brief, index: int, rng: np.random.Generator) -> DrawnImage | None:
        image = self._normal[index]
        scene = self._outlines.scene(image)
        strength = float(rng.uniform(*brief.strength))

        def change_for(outline: Outline) -> Change:
            change, region, box = self._change(image, scene, outline)
            return strength * change, region, box

        def outline_for(brief: Brief) -> Outline | None:
            anomaly = self._outlines.choose(brief, rng)
            found = [self._outlines.draw(brief, scene, rng, anomaly=anomaly) for _ in range(self.tries)]
            return min((o for o in found if o is not None), key=lambda o: self._misfit(image, o), default=None)

        return drawn_by(brief, image, index, scene, outline_for, change_for)

    def _misfit(self, image: Pixels, outline: Outline) -> float:
        """How much the surroundings of a defect differ from those of the place where it is laid, grey levels."""
        if outline.move is None:
            return 0.0
        box = around(outline.mask, RING)
        inside = outline.mask[box]
        places = np.argwhere(ndimage.maximum_filter(inside, 2 * RING + 1) & ~inside)
        if not len(places):
            return 0.0
        places += (box[0].start, box[1].start)
        difference = image[tuple(places.T)] - outline.move.look(self._pieces[outline.anomaly], places)
        shift = difference.mean(axis=0)
        return float(np.abs(difference - shift).mean() + PLAIN * np.abs(shift).mean())

    def _seen(self, anomaly: int, move: Move, box: Box) -> Floats:
        """(h, w, 3) of a defect's image as it comes to lie in `box`."""
        planes = [move.warp(self._pieces[anomaly][..., k], box) for k in range(3)]
        return np.stack(planes, axis=-1).astype(np.float32)

    def _change(self, image: Pixels, scene: Scene, outline: Outline) -> Change:
        box = around(outline.mask, MARGIN + 4)
        if outline.move is None:
            return self._filled(outline, box), outline.mask[box], box
        region = np.asarray(ndimage.binary_dilation(outline.mask[box], iterations=MARGIN))
        source = self._outlines.sources[outline.anomaly]
        if source.on < GONE:  # a part is missing; what is left of the object there keeps this object's outline
            there = outline.move.warp(source.scene.object.astype(np.float32), box) > 0.5
            region &= ~there | scene.object[box]
        return (
            grafted(self._seen(outline.anomaly, outline.move, box), image[box].astype(np.float32), region),
            region,
            box,
        )

    def _filled(self, outline: Outline, box: Box) -> Floats:
        """The residual of a real defect, spread over an outline that is not its own."""
        defect = self._defects[outline.anomaly]
        part = around(defect.mask, MARGIN + 4)
        piece, inside = self._pieces[outline.anomaly][part], defect.mask[part]
        residual = piece - harmonic(piece, ~ndimage.binary_dilation(inside, iterations=MARGIN))
        nearest = ndimage.distance_transform_edt(~inside, return_distances=False, return_indices=True)
        residual = residual[tuple(nearest)]
        scale = float(np.clip(np.sqrt(inside.sum() / outline.mask.sum()), 0.5, 2))
        corner = np.array([part[0].start, part[1].start])
        move = Move(
            np.eye(2) * scale,
            np.argwhere(defect.mask).mean(axis=0) - corner,
            np.argwhere(outline.mask).mean(axis=0),
        )
        return np.stack([move.warp(residual[..., k], box) for k in range(3)], axis=-1).astype(np.float32)
