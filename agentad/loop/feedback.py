"""Where a detector is wrong: which types, sizes, places and strengths it misses, which normal items it flags.

Sizes, places and strengths are of the real defects as marked, not of what any detector says about them:

- size: the share of the image that the mask covers; up to 0.5 % small, up to 3 % medium, else large;
- place: `edge` if the middle of the mask lies in the outer third between the image's centre and its border, on either
  axis, else `centre`;
- strength: how far the mean grey level of the marked pixels, or their spread, is from that of a ring around them, in
  standard deviations of the ring; below 1 faint, else strong.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from agentad.errors import AgentadError
from agentad.flow import Spot
from agentad.planning.strategies import LARGE, SMALL, Cell

Floats = NDArray[np.floating[Any]]
Labels = NDArray[np.integer[Any]]
Mask = NDArray[np.bool_]
Pixels = NDArray[np.uint8]
By = Literal["type", "size", "place", "strength", "normals"]

EDGE = 2 / 3
"""How far from the image's centre, on the way to its border, the edge begins."""
FAINT = 1.0
"""Standard deviations of the surroundings below which a defect is faint."""
RING = 0.5
"""Width of the ring that a defect is compared with, in square roots of the defect's area; at least 2 pixels."""
LEAST_SPREAD = 1.0
"""Grey levels that the surroundings of a defect are taken to vary by at least: cameras are not better than that."""
WORST = 5
"""Examples named of each group."""


@dataclass(frozen=True)
class Marks:
    """What the marked defects of n items look like; NaN where nothing is marked."""

    area: Floats
    """(n,) share of the image."""
    middle: Floats
    """(n, 2) of the mask, down and across, from 0 to 1."""
    contrast: Floats
    """(n,) in standard deviations of the surroundings."""


def marks(images: Sequence[Pixels | None], masks: Sequence[Mask | None]) -> Marks:
    """Measure n masks (height, width), each on its image (height, width, 3); None where there is none.

    Without the image, or with a mask that covers all of it, there is a size and a place and no contrast.

    Raises:
        AgentadError: an image and its mask differ in size.
    """
    area, contrast = np.full((2, len(masks)), np.nan)
    middle = np.full((len(masks), 2), np.nan)
    for i, (image, mask) in enumerate(zip(images, masks, strict=True)):
        if mask is None or not mask.any():
            continue
        area[i] = mask.mean()
        middle[i] = [(at.mean() + 0.5) / size for at, size in zip(np.nonzero(mask), mask.shape, strict=True)]
        if image is not None:
            if image.shape[:2] != mask.shape:
                raise AgentadError(f"feedback: image {i} is {image.shape[:2]}, its mask {mask.shape}")
            contrast[i] = _contrast(image.mean(axis=2), mask)
    return Marks(area, middle, contrast)


def _contrast(grey: Floats, mask: Mask) -> float:
    """Of the marked pixels of an image (height, width) against a ring around them."""
    reach = max(2.0, RING * float(np.sqrt(mask.sum())))
    edge = int(np.ceil(reach)) + 1
    window = tuple(
        slice(max(0, int(at.min()) - edge), int(at.max()) + edge + 1) for at in np.nonzero(mask)
    )  # nothing beyond it is looked at
    own = mask[window]
    ring = ~own & (ndimage.distance_transform_edt(~own) <= reach)
    if not ring.any():
        return float("nan")
    inside, around = grey[window][own], grey[window][ring]
    spread = max(float(around.std()), LEAST_SPREAD)
    shift = abs(float(inside.mean()) - float(around.mean()))
    return max(shift, abs(float(inside.std()) - float(around.std()))) / spread


def size_of(area: float) -> str:
    """`small`, `medium` or `large`, of a share of the image."""
    return "small" if area <= SMALL else "medium" if area <= LARGE else "large"


def place_of(middle: Floats) -> str:
    """`centre` or `edge`, of a point (2,) from 0 to 1."""
    return "edge" if np.abs(middle - 0.5).max() > EDGE / 2 else "centre"


def strength_of(contrast: float) -> str:
    """`faint` or `strong`, of a contrast in standard deviations."""
    return "faint" if contrast < FAINT else "strong"


def spots(
    scores: Floats,
    labels: Labels,
    kinds: Sequence[str],
    ids: Sequence[str],
    threshold: float,
    *,
    marked: Marks | None = None,
    worst: int = WORST,
) -> tuple[Spot, ...]:
    """Groups of n real items and how many of each are wrong: types first, normal items last, the most wrong first.

    Anomalies without a type are of type `""`; those that are not marked are in no group of size, place or strength.
    Empty without labelled items.

    Args:
        scores: (n,) higher = more anomalous.
        labels: (n,) 1 anomalous, 0 normal, -1 unknown, which are left out.
        kinds: (n,) type of each item, or empty; normal items are grouped by theirs, if they have any.
        ids: (n,) of the items.
        threshold: items above it are flagged: anomalies at or below it are missed.
        marked: what `marks` measured of these items; without it, types and normal items only.
        worst: examples named of each group, the most wrong first.
    """
    anomalous = np.flatnonzero(np.asarray(labels) == 1).tolist()
    normal = np.flatnonzero(np.asarray(labels) == 0).tolist()
    missed = np.asarray(scores) <= threshold

    def told(by: By, values: dict[int, str]) -> list[Spot]:
        groups: dict[str, list[int]] = {}
        for i, value in values.items():
            groups.setdefault(value, []).append(i)
        found = [_spot(by, value, own, scores, missed, ids, worst) for value, own in groups.items()]
        return sorted(found, key=lambda spot: (-spot.wrong / spot.items, -spot.wrong, spot.value))

    found = told("type", {i: str(kinds[i]) for i in anomalous})
    if marked is not None:
        own = [i for i in anomalous if not np.isnan(marked.area[i])]
        found += told("size", {i: size_of(float(marked.area[i])) for i in own})
        found += told("place", {i: place_of(marked.middle[i]) for i in own})
        seen = [i for i in own if not np.isnan(marked.contrast[i])]
        found += told("strength", {i: strength_of(float(marked.contrast[i])) for i in seen})
    found += told("normals", {i: str(kinds[i]) for i in normal})
    return tuple(found)


def cells(
    kinds: Sequence[str], marked: Marks, made_kinds: Sequence[str] = (), made: Marks | None = None
) -> tuple[Cell, ...]:
    """Where the marked defects lie, by type, size and place, for the critic's `coverage`; in the order of their names.

    Args:
        kinds: (n,) type of each real anomaly, or empty.
        marked: what `marks` measured of them.
        made_kinds: (m,) of the invented ones learned from.
        made: what `marks` measured of these.
    """
    real = _cells(kinds, marked)
    invented = Counter() if made is None else _cells(made_kinds, made)
    return tuple(Cell(*cell, real=real[cell], made=invented[cell]) for cell in sorted(real | invented))


def _cells(kinds: Sequence[str], marked: Marks) -> Counter[tuple[str, str, str]]:
    told = np.flatnonzero(~np.isnan(marked.area)).tolist()
    return Counter((str(kinds[i]), size_of(float(marked.area[i])), place_of(marked.middle[i])) for i in told)


def _spot(
    by: By, value: str, own: list[int], scores: Floats, missed: NDArray[np.bool_], ids: Sequence[str], worst: int
) -> Spot:
    wrong = [i for i in own if missed[i] != (by == "normals")]
    wrong.sort(key=lambda i: (-scores[i] if by == "normals" else scores[i], i))
    return Spot(by=by, value=value, items=len(own), wrong=len(wrong), examples=tuple(ids[i] for i in wrong[:worst]))
