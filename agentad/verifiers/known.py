"""Samples known to be good or bad, made from the data at hand, that verifiers are tried on.

====================  ================================================================================================
good, `real`          real anomalies as they are
good, `made`          normals after an obvious manipulation: another normal's pixels, much brighter or darker; rows with
                      some columns far off
bad, `invisible`      normals as they are, with a mask or the claim to be anomalous
bad, `misplaced`      real anomalies with the mask moved to another place of the object
bad, `mismatched`     `made` with the mask moved likewise; the base is known
bad, `loose`          `made` with the mask grown to four times its area
bad, `outside`        real anomalies, or `made` where there are none, with the mask moved off the object
bad, `garbage`        normals with a blot of coloured noise; rows with every column farther off than in any real row
bad, `mistyped`       real anomalies that claim another type
====================  ================================================================================================

Each real anomaly gives one of each kind at most, so does each normal drawn for it, and of items that share a group only
the first is taken.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from agentad.detectors.base import Floats, Ints
from agentad.detectors.judged import Judged
from agentad.detectors.robust import scalings
from agentad.errors import InputError
from agentad.generators.images.foreground import Foreground
from agentad.modalities.image.maps import shares
from agentad.verifiers.base import Candidates, Fault, Good, Mask, Pixels

Sort = Good | Fault
Encode = Callable[[Any], Judged]
"""Images, or encoded rows (n, d), that the detector has not seen, to what it says of them; `where` is not looked at."""
MOST = 40
"""Samples of a kind."""
TRIES = 30
AWAY = 0.08
"""Share of the image's longer side that a moved mask keeps from where it was: patches see a little around them."""
DRAWN = 2
"""Drawn shapes that are as likely as real masks, so that one real anomaly does not decide all masks."""
LOOSE = 4
"""Times its own area that a mask is grown to."""
SHIFT = (60, 110)
"""Grey levels that an obvious manipulation is brighter or darker."""
BLOT = (0.05, 0.12)
"""Half-axes of drawn masks, in shares of the image's shorter side."""
OBVIOUS = (6.0, 12.0)
"""Standard deviations that a made row is off in some columns."""
BEYOND = (2.0, 4.0)
"""Times the farthest value of any real row that garbage is off in every column."""


@dataclass(frozen=True)
class Known:
    """Samples of one sort, and the items that they come from."""

    items: Candidates
    normal: Ints
    """(n,) index of the normal item a sample was made from, -1 for none."""
    real: Ints
    """(n,) index of the real anomaly it was made from, -1 for none."""


def known_samples(
    normal: Candidates, real: Candidates, encode: Encode | None = None, *, seed: int = 0, most: int = MOST
) -> dict[Sort, Known]:
    """At most `most` samples of each sort that this data allows; none of those to be encoded without `encode`.

    Args:
        normal: normal items with held-out scores.
        real: real anomalies, perhaps none.
        encode: says what the detector makes of altered items.
        seed: decides all draws.
        most: samples of a sort.

    Raises:
        InputError: encoded normal images without the images.
    """
    if normal.judged.where is not None and not normal.images:
        raise InputError("known samples are made from normal images, and there are none; give `images`")
    rng = np.random.default_rng(seed)
    source = _Source(normal, real, _firsts(normal, rng)[:most], _firsts(real, rng)[:most], rng)
    found = source.images(encode) if normal.images else source.rows(encode)
    return {sort: known for sort, known in found.items() if len(known.items)}


def _firsts(items: Candidates, rng: np.random.Generator) -> Ints:
    """Positions in random order, one of each group."""
    order = rng.permutation(len(items))
    if items.judged.group is None:
        return order
    first = np.unique(items.judged.group[order], return_index=True)[1]
    return np.asarray(order[np.sort(first)])


@dataclass
class _Source:
    normal: Candidates
    real: Candidates
    normals: Ints
    """Positions of the normals to be used."""
    reals: Ints
    rng: np.random.Generator

    def rows(self, encode: Encode | None) -> dict[Sort, Known]:
        found: dict[Sort, Known] = {"real": self._real(), "mistyped": self._mistyped()}
        found["invisible"] = self._of_normals(self.normal.take(self.normals).judged, self._kinds(len(self.normals)))
        if encode is not None:
            x, rng = self.normal.judged.x, self.rng
            scaling = scalings(x)[0]
            u = scaling.apply(x[self.normals])
            farthest = np.abs(scaling.apply(np.concatenate([x, self.real.judged.x]))).max(axis=0)
            sign = rng.choice([-1, 1], u.shape)
            some = rng.random(u.shape) < 1 / 3
            some[np.arange(len(u)), rng.integers(u.shape[1], size=len(u))] = True
            made = np.where(some, u + sign * rng.uniform(*OBVIOUS, u.shape), u)
            garbage = sign * rng.uniform(*BEYOND, u.shape) * np.maximum(farthest, 3)
            nothing = np.full(len(u), "", object)
            found["made"] = self._of_normals(encode(scaling.undo(made)), nothing)
            found["garbage"] = self._of_normals(encode(scaling.undo(garbage)), nothing)
        return found

    def images(self, encode: Encode | None) -> dict[Sort, Known]:
        assert self.normal.images is not None  # noqa: S101  only called then
        self._foreground = Foreground.fit(self.normal.images)
        found: dict[Sort, Known] = {"real": self._real(), "mistyped": self._mistyped()}
        found["misplaced"] = self._moved(found["real"], on_object=True)
        bases = [self.normal.images[i] for i in self.normals.tolist()]
        masks = [self._mask(image) for image in bases]
        found["invisible"] = self._painted(bases, bases, masks, self._kinds(len(bases)), None)
        if encode is not None:
            nothing = np.full(len(bases), "", object)
            made = [self._manipulated(image, mask) for image, mask in zip(bases, masks, strict=True)]
            found["made"] = self._painted(made, bases, masks, nothing, encode)
            found["mismatched"] = self._moved(found["made"], on_object=True)
            found["loose"] = self._grown(found["made"])
            blots = [self._placed(self._blot(image), np.flatnonzero(self._object(image))) for image in bases]
            noise = [self._noise(image, mask) for image, mask in zip(bases, blots, strict=True)]
            found["garbage"] = self._painted(noise, bases, blots, nothing, encode)
        marked = found["real"] if len(self.real) else found.get("made")
        if marked is not None and self._foreground.threshold is not None:
            found["outside"] = self._moved(marked, on_object=False)
        return found

    def _real(self) -> Known:
        return Known(self.real.take(self.reals), np.full(len(self.reals), -1), self.reals)

    def _mistyped(self) -> Known:
        """Real anomalies of a type, each with one of the other types."""
        names = sorted({str(kind) for kind in self.real.kind if kind})
        chosen = self.reals[[bool(self.real.kind[i]) and len(names) > 1 for i in self.reals.tolist()]]
        wrong = [self.rng.choice([name for name in names if name != self.real.kind[i]]) for i in chosen.tolist()]
        items = replace(self.real.take(chosen), kind=np.array([str(name) for name in wrong], object))
        return Known(items, np.full(len(chosen), -1), chosen)

    def _kinds(self, n: int) -> NDArray[np.object_]:
        """(n,) types as they occur among real anomalies."""
        if not len(self.real):
            return np.full(n, "", object)
        return self.real.kind[self.rng.integers(len(self.real), size=n)]

    def _of_normals(self, judged: Judged, kind: NDArray[np.object_]) -> Known:
        judged = replace(judged, group=None)
        return Known(Candidates(judged, kind), self.normals, np.full(len(self.normals), -1))

    def _painted(
        self,
        images: list[Pixels],
        bases: list[Pixels],
        masks: list[Mask],
        kind: NDArray[np.object_],
        encode: Encode | None,
    ) -> Known:
        """Images made from normals; without `encode` they are these normals."""
        judged = self.normal.judged.take(self.normals) if encode is None else encode(images)
        judged = replace(judged, where=shares(masks, _grid(judged)), group=None)
        none = np.full(len(self.normals), -1)
        return Known(Candidates(judged, kind, images, masks, bases), self.normals, none)

    def _moved(self, known: Known, *, on_object: bool) -> Known:
        """Samples whose masks were moved well away from where they were; those that have no such place left out.

        On the object, or at least by nine tenths off it.
        """
        images, masks = known.items.images or (), known.items.masks or ()
        kept, moved = [], []
        for i, (image, mask) in enumerate(zip(images, masks, strict=True)):
            allowed = self._object(image) if on_object else ~self._object(image)
            near = distance_transform_edt(~mask) <= AWAY * max(mask.shape)
            options = np.flatnonzero(allowed)
            for _ in range(TRIES):
                new = self._placed(mask, options)
                if new.any() and not (new & near).any() and (on_object or allowed[new].mean() >= 0.9):
                    kept.append(i)
                    moved.append(new)
                    break
        return _remarked(known, kept, moved)

    def _grown(self, known: Known) -> Known:
        """Samples whose masks were grown to `LOOSE` times their area; those without the room for it left out."""
        masks = known.items.masks or ()
        room = [i for i, mask in enumerate(masks) if LOOSE * mask.sum() <= mask.size / 2]
        return _remarked(known, room, [_grown(masks[i], LOOSE) for i in room])

    def _object(self, image: Pixels) -> Mask:
        return self._foreground.of(image)

    def _mask(self, image: Pixels) -> Mask:
        """A real anomaly's mask of this size, or a drawn one, somewhere on the object of `image`."""
        fitting = [m for m in self.real.masks or () if m.shape == image.shape[:2] and m.any()]
        which = int(self.rng.integers(len(fitting) + DRAWN))
        mask = fitting[which] if which < len(fitting) else self._blot(image)
        return self._placed(mask, np.flatnonzero(self._object(image)))

    def _placed(self, mask: Mask, options: Ints) -> Mask:
        """`mask` (not empty) with its middle moved to one of the pixels `options`, or as near as it fits."""
        if not len(options):
            return mask
        places = np.argwhere(mask)
        low, high = places.min(axis=0), places.max(axis=0) + 1
        middle = np.array(np.unravel_index(options[self.rng.integers(len(options))], mask.shape))
        top, left = np.clip(middle - (high - low) // 2, 0, np.array(mask.shape) - (high - low))
        moved = np.zeros_like(mask)
        moved[places[:, 0] - low[0] + top, places[:, 1] - low[1] + left] = True
        return moved

    def _blot(self, image: Pixels) -> Mask:
        """An ellipse in the middle."""
        height, width = image.shape[:2]
        rows, columns = np.mgrid[:height, :width]
        a, b = np.maximum(self.rng.uniform(*BLOT, 2) * min(height, width), 1.5)
        return np.asarray(((rows - height // 2) / a) ** 2 + ((columns - width // 2) / b) ** 2 <= 1)

    def _manipulated(self, image: Pixels, mask: Mask) -> Pixels:
        """`image` with pixels of another normal behind `mask`, clearly brighter or darker than what was there."""
        assert self.normal.images is not None  # noqa: S101  only called for images
        other = self.normal.images[int(self.rng.integers(len(self.normal)))]
        rows, columns = np.nonzero(mask)
        down, across = self.rng.integers(other.shape[0]), self.rng.integers(other.shape[1])
        pasted = other[(rows + down) % other.shape[0], (columns + across) % other.shape[1]].astype(np.float64)
        before = image[mask].astype(np.float64)
        shift = self.rng.uniform(*SHIFT) * (-1 if before.mean() > 127 else 1)
        result = image.copy()
        result[mask] = np.clip(pasted - pasted.mean(axis=0) + before.mean(axis=0) + shift, 0, 255).astype(np.uint8)
        return result

    def _noise(self, image: Pixels, mask: Mask) -> Pixels:
        """`image` with a mosaic of random colours behind `mask`."""
        side = max(1, min(image.shape[:2]) // 64)
        small = self.rng.integers(0, 256, (image.shape[0] // side + 1, image.shape[1] // side + 1, 3), dtype=np.uint8)
        noise = small.repeat(side, axis=0).repeat(side, axis=1)[: image.shape[0], : image.shape[1]]
        return np.where(mask[..., None], noise, image)


def _remarked(known: Known, kept: list[int], masks: list[Mask]) -> Known:
    """The samples at the positions `kept`, with other masks."""
    index = np.array(kept, np.int64)
    items = known.items.take(index)
    judged = replace(items.judged, where=shares(masks, _grid(items.judged)))
    return Known(replace(items, judged=judged, masks=masks), known.normal[index], known.real[index])


def _grown(mask: Mask, times: int) -> Mask:
    """`mask` (not empty) with the pixels nearest to it, `times` its area."""
    away: Floats = distance_transform_edt(~mask)
    return np.asarray(away <= np.partition(away.ravel(), times * int(mask.sum()) - 1)[times * int(mask.sum()) - 1])


def _grid(judged: Judged) -> tuple[int, int]:
    return judged.x.shape[1], judged.x.shape[2]
