"""Where an invented anomaly is to be: outlines of real defects or drawn ones, laid onto a normal image by brief.

An object's own coordinates (`foreground.Pose`) carry a real defect's place and direction to an object that lies
otherwise. What a defect touches decides how freely it is laid: one inside its object moves and turns a little, one that
crosses the object's outline or the image's border hardly does, and one on a surface that fills the image goes anywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from agentad.errors import InputError
from agentad.flow import Brief
from agentad.flow.brief import Place
from agentad.generators.images.base import Defect, Mask, Pixels
from agentad.generators.images.foreground import Foreground, Pose, pose, rotation, turn_between
from agentad.generators.images.shapes import LINES, drawn

Floats = NDArray[np.float64]
Box = tuple[slice, slice]
Drawing = Callable[[float, np.random.Generator], Mask]
"""An outline of about so many pixels, in a box that just holds it."""

DEGREES = 12.0
"""Largest turn of a defect."""
PART = 1 / 3
"""Share of the object's pixels that are its centre, and its edge."""
SYMMETRIC = 0.9
"""Overlap of an object's outline and its mirror image over their union from which defects are mirrored, if the blurred
image's difference to its mirror image is at most `ALIKE` of its own deviation."""
ALIKE = 0.7
USUAL = {"line": (0.004, 0.02), "spot": (0.006, 0.05)}
"""Share of the object that a drawn outline covers where the brief says nothing."""
OFF = 0.15
"""By how much the share of a defect that is on the object may be lower than it was; missing parts have more of it."""
TRIES = 12
_LOOKED_AT = 8


@dataclass(frozen=True)
class Scene:
    """The object in one image."""

    object: Mask
    """(H, W), all True where none is found."""
    pose: Pose

    @property
    def filled(self) -> bool:
        """Whether the object fills the image."""
        return bool(self.object.all())


@dataclass(frozen=True)
class Move:
    """How pixels of a defect's image are laid onto a normal one: source = back (target - to) + at, (row, column)."""

    back: Floats
    """(2, 2)"""
    at: Floats
    """(2,) in the defect's image."""
    to: Floats
    """(2,) in the normal image."""

    def warp(self, plane: NDArray[np.floating], box: Box, order: int = 1) -> NDArray[np.floating]:
        """`plane` (H, W) of the defect's image as seen in `box` of the normal one; repeats its border outside."""
        corner = np.array([box[0].start, box[1].start])
        shape = (box[0].stop - box[0].start, box[1].stop - box[1].start)
        offset = self.back @ (corner - self.to) + self.at
        mode = "nearest" if order else "constant"
        warped: NDArray[np.floating] = ndimage.affine_transform(plane, self.back, offset, shape, order=order, mode=mode)
        return warped

    def look(self, image: NDArray[np.floating], places: NDArray[np.intp]) -> Floats:
        """(n, c) of the defect's image (H, W, c), the nearest pixels, as seen at `places` (n, 2) of the normal one."""
        source = np.rint((places - self.to) @ self.back.T + self.at).astype(int)
        rows, columns = np.clip(source, 0, np.array(image.shape[:2]) - 1).T
        return np.asarray(image[rows, columns], dtype=np.float64)


@dataclass(frozen=True)
class Outline:
    """Where an anomaly is to be in a normal image."""

    mask: Mask
    """(H, W), not empty."""
    anomaly: int
    """Index of the defect it is like, -1 for none."""
    kind: str
    move: Move | None
    """How that defect comes to lie there; None for an outline that was drawn or given."""


class Outlines:
    """Draws outlines for briefs. Without real defects, each brief has to have a shape."""

    def fit(self, normal: Sequence[Pixels], defects: Sequence[Defect]) -> Self:
        """Learn where objects are in normal images (at least one), and where on them the defects are."""
        if not len(normal):
            raise InputError("no normal image to learn from; give at least one")
        self.foreground = Foreground.fit(normal)
        self.sources = [Source.of(defect, self.scene(defect.image)) for defect in defects]
        chosen = np.unique(np.linspace(0, len(normal) - 1, min(len(normal), _LOOKED_AT)).astype(int))
        images = [normal[int(i)] for i in chosen]
        scenes = [self.scene(image) for image in images]
        self._mirrors, self._turns = _mirrors(images, scenes), _turns(scenes)
        return self

    @property
    def kinds(self) -> tuple[str, ...]:
        """Types of the real defects, sorted."""
        return tuple(sorted({source.kind for source in self.sources}))

    def scene(self, image: Pixels) -> Scene:
        """The object in an image (H, W, 3)."""
        found = self.foreground.of(image)
        return Scene(found, pose(found))

    def choose(self, brief: Brief, rng: np.random.Generator) -> int:
        """Index of a real defect of the brief's type, -1 where there is none at all.

        Raises:
            InputError: there are defects and none is of this type.
        """
        wanted = [k for k, source in enumerate(self.sources) if brief.kind in (None, source.kind)]
        if wanted:
            return int(rng.choice(wanted))
        if self.sources:
            raise InputError(f"no real defect is of type {brief.kind!r}; there are: {', '.join(self.kinds)}")
        return -1

    def draw(
        self,
        brief: Brief,
        scene: Scene,
        rng: np.random.Generator,
        *,
        anomaly: int | None = None,
        drawing: Drawing | None = None,
    ) -> Outline | None:
        """An outline in a normal image, as the brief wants it, and None where that does not fit in.

        It is that of a real defect (`anomaly`, or else one of the brief's type), or drawn if the brief has a shape or
        there is a `drawing`.

        Raises:
            InputError: the brief's type is unknown, or there is neither a shape nor a real defect.
        """
        anomaly = self.choose(brief, rng) if anomaly is None else anomaly
        if brief.shape is not None:
            drawing = partial(drawn, brief.shape)
        if drawing is None and anomaly < 0:
            raise InputError("there is no real defect to take an outline from; give the brief a shape")
        want, swell = _share(brief, rng), 1.0
        for attempt in range(TRIES):
            if drawing is not None:
                outline = self._drawn(drawing, brief, scene, rng, anomaly, want, swell)
            else:
                outline = self._laid(brief.place, scene, rng, anomaly, want, swell, turned=attempt >= TRIES // 3)
            if outline is None:
                continue
            share = float(outline.mask.mean())
            if brief.size is None or brief.size[0] <= share <= brief.size[1]:
                return outline
            if want is not None:  # part of it was cut off
                swell = float(np.clip(swell * np.sqrt(want / share), 0.5, 2.0))
        return None

    def _laid(
        self,
        place: Place | None,
        scene: Scene,
        rng: np.random.Generator,
        anomaly: int,
        want: float | None,
        swell: float,
        *,
        turned: bool,
    ) -> Outline | None:
        source = self.sources[anomaly]
        move = self._move(source, place, scene, rng, turned=turned)
        if want is not None:
            now = source.area / abs(np.linalg.det(move.back))
            move = Move(move.back / (swell * np.sqrt(want * scene.object.size / now)), move.at, move.to)
        mask, whole = _warped(source, move, scene.object.shape)
        if not mask.any() or mask.sum() < (0.9 if not source.cut else 0.6) * whole:
            return None
        free = place == "anywhere" or scene.filled or source.area > scene.object.sum() / 2
        if not free and scene.object[mask].mean() < source.on - OFF:
            return None
        return Outline(mask, anomaly, source.kind, move)

    def _move(
        self, source: Source, place: Place | None, scene: Scene, rng: np.random.Generator, *, turned: bool
    ) -> Move:
        """Where and how a real defect is laid, at its own size; `turned`: about an object without a long axis."""
        turn, scale = turn_between(source.scene.pose, scene.pose), _scale(source.scene, scene)
        if turned and self._turns and not scene.pose.directed and source.area <= scene.object.sum() / 2:
            turn = rng.uniform(-np.pi, np.pi)
        axes = rotation(source.scene.pose.angle)  # columns: along, across
        mirror = axes @ np.diag([rng.choice([-1, 1]) if free else 1 for free in self._mirrors]) @ axes.T
        anywhere = scene.filled and not source.cut
        loose = 0.0 if source.cut and scene.filled else 0.01 if source.crosses else 0.06
        if loose == 0.06:
            turn += np.radians(rng.uniform(-DEGREES, DEGREES))
            scale *= np.exp(rng.uniform(-0.2, 0.2))
        elif loose:
            turn += np.radians(rng.uniform(-2, 2))
        forward = scale * rotation(turn) @ mirror
        if place is not None or anywhere:
            to = _somewhere(area(place or "anywhere", scene), rng)
        else:
            size = scale * source.scene.pose.size
            away = forward @ (source.middle - source.scene.pose.centre)
            to = scene.pose.centre + away + rng.normal(0, loose * size, 2)
        return Move(np.asarray(np.linalg.inv(forward), np.float64), source.middle, to)

    def _drawn(
        self,
        drawing: Drawing,
        brief: Brief,
        scene: Scene,
        rng: np.random.Generator,
        anomaly: int,
        want: float | None,
        swell: float,
    ) -> Outline | None:
        if want is None:
            usual = USUAL["line" if brief.shape in LINES else "spot"]
            want = float(scene.object.mean() * np.exp(rng.uniform(*np.log(usual))))
        patch = drawing(want * scene.object.size * swell**2, rng)
        bitten = brief.shape == "missing" and brief.place is None and not scene.filled
        where = scene.object & ~ndimage.binary_erosion(scene.object) if bitten else area(brief.place or "object", scene)
        mask = _stamped(patch, _somewhere(where, rng), scene.object.shape)
        if brief.place != "anywhere":
            mask &= scene.object
        if mask.sum() < (0.3 if bitten or brief.size is not None else 0.6) * patch.sum():
            return None
        return Outline(mask, anomaly, self.sources[anomaly].kind if anomaly >= 0 else brief.shape or "", None)


@dataclass(frozen=True)
class Source:
    """A real defect and how it lies on its object."""

    mask: NDArray[np.float32]
    box: Box
    kind: str
    scene: Scene
    middle: Floats
    area: int
    on: float
    """Share of it that is on the object."""
    crosses: bool
    """Whether it crosses the object's outline."""
    cut: bool
    """Whether it touches the image's border."""

    @classmethod
    def of(cls, defect: Defect, scene: Scene) -> Self:
        """Of a defect in an image where the object lies so."""
        mask = defect.mask
        places = np.argwhere(mask)
        low, high = places.min(axis=0), places.max(axis=0) + 1
        box = (slice(int(low[0]), int(high[0])), slice(int(low[1]), int(high[1])))
        cut = bool((low <= 1).any() or (high >= np.array(mask.shape) - 1).any())
        on = float(scene.object[mask].mean())
        crosses = on < 0.98 or bool((ndimage.binary_dilation(mask, iterations=2) & ~scene.object).any())
        return cls(mask.astype(np.float32), box, defect.kind, scene, places.mean(axis=0), len(places), on, crosses, cut)


def area(place: Place, scene: Scene) -> Mask:
    """(H, W) where the middle of an anomaly may lie.

    `centre`: the third of the object's pixels that is nearest to its middle; `edge`: the third that is nearest to its
    outline, which is the image's border if it fills the image.
    """
    if place == "anywhere":
        return np.ones_like(scene.object)
    if place == "object":
        return scene.object
    if place == "centre":
        rows, columns = np.indices(scene.object.shape)
        far = np.hypot(rows - scene.pose.centre[0], columns - scene.pose.centre[1])
    elif scene.filled:
        far = np.asarray(ndimage.distance_transform_edt(np.pad(scene.object, 1)))[1:-1, 1:-1]
    else:
        far = np.asarray(ndimage.distance_transform_edt(scene.object))
    return np.asarray(scene.object & (far <= np.quantile(far[scene.object], PART)))


def _share(brief: Brief, rng: np.random.Generator) -> float | None:
    """Of the image's pixels, log-uniform."""
    return None if brief.size is None else float(np.exp(rng.uniform(*np.log(brief.size))))


def _somewhere(where: Mask, rng: np.random.Generator) -> Floats:
    return np.asarray(np.argwhere(where)[rng.integers(where.sum())] + rng.uniform(-0.5, 0.5, 2), dtype=np.float64)


def _scale(source: Scene, target: Scene) -> float:
    """Of a defect laid onto `target`: that of the objects if they differ much, else that of the images."""
    images = float(np.sqrt(target.object.size / source.object.size))
    if source.filled or target.filled:
        return images
    objects = target.pose.size / source.pose.size
    return objects if not 0.8 < objects / images < 1.25 else images


def _warped(source: Source, move: Move, shape: tuple[int, ...]) -> tuple[Mask, float]:
    """The defect's outline in an image of `shape`, and how many pixels it would have if none were cut off."""
    forward = np.linalg.inv(move.back)
    rows, columns = source.box
    corners = np.array([(r, c) for r in (rows.start, rows.stop) for c in (columns.start, columns.stop)])
    reach = (corners - move.at) @ forward.T + move.to
    low = np.clip(np.floor(reach.min(axis=0)).astype(int), 0, np.array(shape))
    high = np.clip(np.ceil(reach.max(axis=0)).astype(int) + 1, 0, np.array(shape))
    mask = np.zeros(shape, dtype=np.bool_)
    if (high > low).all():
        box = (slice(int(low[0]), int(high[0])), slice(int(low[1]), int(high[1])))
        mask[box] = move.warp(source.mask, box) > 0.5
    return mask, source.area * abs(float(np.linalg.det(forward)))


def _stamped(patch: Mask, to: Floats, shape: tuple[int, ...]) -> Mask:
    """`patch` in an image of `shape`, its middle at `to`, cut off at the border."""
    middle = np.argwhere(patch).mean(axis=0)
    top, left = np.rint(to - middle).astype(int)
    mask = np.zeros(shape, dtype=np.bool_)
    places = np.argwhere(patch) + np.array([top, left])
    inside = ((places >= 0) & (places < np.array(shape))).all(axis=1)
    mask[tuple(places[inside].T)] = True
    return mask


def _turns(scenes: Sequence[Scene]) -> bool:
    """Whether objects lie at any angle: their outlines, laid over each other, do not agree."""
    first, overlaps = scenes[0], []
    for scene in scenes[1:]:
        offset = first.pose.centre - scene.pose.centre
        moved = ndimage.shift(first.object.astype(np.float32), -offset, order=0) > 0.5
        if moved.shape == scene.object.shape:
            overlaps.append((moved & scene.object).sum() / (moved | scene.object).sum())
    return bool(overlaps) and float(np.median(overlaps)) < SYMMETRIC


def _mirrors(images: Sequence[Pixels], scenes: Sequence[Scene]) -> tuple[bool, bool]:
    """Whether objects look like their own mirror images along and across their axes; surfaces do."""
    if all(scene.filled for scene in scenes):
        return True, True
    found = [
        [_is_symmetric(image, scene, axis) for axis in (0, 1)] for image, scene in zip(images, scenes, strict=True)
    ]
    along, across = np.mean(found, axis=0) > 0.5
    return bool(along), bool(across)


def _is_symmetric(image: Pixels, scene: Scene, axis: int) -> bool:
    axes, flip = rotation(scene.pose.angle), np.eye(2)
    flip[axis, axis] = -1
    mirror = axes @ flip @ axes.T
    offset = scene.pose.centre - mirror @ scene.pose.centre
    there = ndimage.affine_transform(scene.object.astype(np.float32), mirror, offset, order=1) > 0.5
    both = there & scene.object
    if both.sum() < SYMMETRIC * (there | scene.object).sum():
        return False
    grey = ndimage.gaussian_filter(image.mean(axis=-1), max(image.shape) / 32)
    difference = np.abs(grey - ndimage.affine_transform(grey, mirror, offset, order=1))[both].mean()
    return bool(difference <= ALIKE * np.abs(grey - grey[both].mean())[both].mean())
