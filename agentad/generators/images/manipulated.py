"""Anomalies for when there is no real one: normal images, manipulated.

With a shape, the brief's outline is drawn and gets that shape's look (`looks`). Without one a third each are

* one of the shapes;
* a ragged patch of altered texture, taken from anywhere in another normal image. The idea of DRAEM (Zavrtanik et al.
  2021, https://arxiv.org/abs/2108.07610), whose textures are photographs of other things and whose masks are Perlin
  noise;
* a rectangle cut out of another normal image and pasted elsewhere, turned and recoloured. The idea of CutPaste (Li et
  al. 2021, https://arxiv.org/abs/2104.04015).

Neither paper's detector or training is here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self, get_args

import numpy as np
from scipy import ndimage

from agentad.errors import InputError
from agentad.flow import Brief
from agentad.flow.brief import Shape
from agentad.generators.images.base import Defect, DrawnImage, Pixels, Progress
from agentad.generators.images.blend import Floats, around
from agentad.generators.images.foreground import rotation
from agentad.generators.images.looks import CONTRAST, LOOKS, Site
from agentad.generators.images.masks import Drawing, Outline, Outlines, Scene
from agentad.generators.images.shapes import noise, rectangle, torn
from agentad.generators.images.trial import Change, drawn_by

SHAPES: tuple[Shape, ...] = get_args(Shape)
MARGIN = 8
"""Pixels around an outline that are looked at."""


class ManipulatedNormals:
    """Draws on normal images, and moves parts of them. Needs no real defect; gives real ones' outlines where asked."""

    fewest = 0

    def fit(
        self,
        normal: Sequence[Pixels],
        defects: Sequence[Defect],
        *,
        seed: int = 0,
        progress: Progress | None = None,
    ) -> Self:
        """Learn where objects are. The normal images are kept as they are given.

        Raises:
            InputError: no normal image.
        """
        self._normal = normal
        self._outlines = Outlines().fit(normal, defects)
        if progress is not None:
            progress(1, 1)
        return self

    def sample(self, briefs: Sequence[Brief], normal: Sequence[int], *, seed: int = 0) -> list[DrawnImage | None]:
        """One anomaly for each brief, on the normal image of that index. The same seed gives the same images.

        A brief with a type takes the outline of a real defect of it, and no other does. At strength 1 the contrast is
        about 60 grey levels, or more on a rough surface. None where this normal image has no place for it.

        Raises:
            InputError: a brief's type is none of the defects'.
        """
        return [
            self._one(brief, index, np.random.default_rng([seed, k]))
            for k, (brief, index) in enumerate(zip(briefs, normal, strict=True))
        ]

    def _one(self, brief: Brief, index: int, rng: np.random.Generator) -> DrawnImage | None:
        if brief.kind is not None and brief.kind not in self._outlines.kinds:
            there = ", ".join(self._outlines.kinds) or "no real defects"
            raise InputError(f"no real defect is of type {brief.kind!r}; there are: {there}")
        image = self._normal[index]
        scene = self._outlines.scene(image)
        strength = float(rng.uniform(*brief.strength))
        manner = "shape" if brief.shape else str(rng.choice(["shape", "texture", "cut"]))
        shape = brief.shape or SHAPES[rng.integers(len(SHAPES))]

        def outline_for(wanted: Brief) -> Outline | None:
            if wanted.kind is not None:
                return self._outlines.draw(wanted, scene, rng)
            drawing: Drawing = rectangle if manner == "cut" else torn
            if manner == "shape":
                wanted = wanted.model_copy(update={"shape": shape})
            return self._outlines.draw(wanted, scene, rng, anomaly=-1, drawing=drawing)

        def change_for(outline: Outline) -> Change:
            box = around(outline.mask, MARGIN)
            site = Site(image[box].astype(np.float32), outline.mask[box], scene.object[box])
            change = LOOKS[shape](site, rng) if manner == "shape" else self._elsewhere(site, manner == "cut", rng)
            return strength * change, site.inside, box

        made = drawn_by(brief, image, index, scene, outline_for, change_for)
        if made is None or brief.kind is not None:
            return made
        return DrawnImage(made.image, made.mask, made.normal, -1, brief.shape or "")

    def _elsewhere(self, site: Site, cut: bool, rng: np.random.Generator) -> Floats:
        """A patch of another normal image in place of what is inside, turned, and recoloured until it differs."""
        other = self._normal[int(rng.integers(len(self._normal)))]
        patch = _patch(other, self._outlines.scene(other), site.inside.shape, rng.uniform(-np.pi, np.pi), rng)
        if not cut:
            middle = patch.mean(axis=(0, 1))
            patch = middle + (patch - middle) * rng.uniform(0.5, 2)
            patch = patch + rng.uniform(*CONTRAST) * 0.5 * noise(site.inside.shape, rng)[..., None]
        change = patch * rng.uniform(0.8, 1.2, 1 if site.grey else 3) - site.piece
        mean = change[site.inside].mean(axis=0)
        if np.abs(mean).max() < site.contrast(rng) / 2:
            sign = 1 if site.light < 127 else -1
            change = change + sign * site.contrast(rng) * rng.uniform(0.5, 1)
        return np.asarray(change, dtype=np.float32)


def _patch(image: Pixels, scene: Scene, shape: tuple[int, ...], angle: float, rng: np.random.Generator) -> Floats:
    """(h, w, 3) around a place on the object, turned by `angle` radians; mirrored at the image's border."""
    places = np.argwhere(scene.object)
    turn = rotation(angle)
    offset = places[rng.integers(len(places))] - turn @ (np.array(shape[:2]) / 2)
    planes = [
        ndimage.affine_transform(image[..., k].astype(np.float32), turn, offset, shape[:2], order=1, mode="mirror")
        for k in range(3)
    ]
    return np.stack(planes, axis=-1)
