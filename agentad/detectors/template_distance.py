"""Distance to the nearest place of the template: the baseline for images that come with one.

Encoded pairs are (n, h, w, 2 c): the c features of each cell of the image, then the c features of its template.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from agentad.detectors.base import Floats, Ints, Scores, State
from agentad.detectors.pooling import top_mean
from agentad.errors import InputError

Mask = NDArray[np.bool_]


class TemplateDistance:
    """Score = how far a patch is from every place of its template near by.

    Nothing is learned, so that every training item is held out by construction. Where defects are known,
    `held_out_normal` holds what the items score without them.

    Args:
        match: `range`: each feature's distance to the range that it has in the template's neighbourhood, which forgives
            shifts of a fraction of a cell (pixels); `nearest`: distance to the nearest vector there (learned features).
        neighbourhood: side of that neighbourhood, in cells; odd.
        patch: side of a patch in cells, over which differences are averaged; the map has one score a patch.
        blur: standard deviation of the Gaussian laid over the map, in patches.
        grow: how far high scores spread, in patches: people outline a defect with a margin.
        pool: an image's score is the mean of this many highest patches.
    """

    uses_defects = True

    held_out: Scores
    held_out_normal: Scores | None = None
    """Scores of the training items with known defects left out (their patches score 0); None where none is known."""

    def __init__(
        self,
        *,
        match: str = "range",
        neighbourhood: int = 3,
        patch: int = 2,
        blur: float = 0.5,
        grow: int = 3,
        pool: int = 4,
    ) -> None:
        if neighbourhood % 2 == 0:
            raise InputError(f"neighbourhood {neighbourhood}: give an odd number of cells, so that it has a middle")
        self.match = match
        self.neighbourhood = neighbourhood
        self.patch = patch
        self.blur = blur
        self.grow = grow
        self.pool = pool

    def fit(self, x: Floats, *, groups: Ints | None = None, seed: int = 0, defects: Mask | None = None) -> Self:
        """Score the training pairs `x` (n, h, w, 2 c); `defects` (n, h, w) marks what is known to be anomalous in them.

        Raises:
            InputError: not pairs, or a grid that patches do not cut evenly.
        """
        _check(x, self.patch)
        self.held_out, self.held_out_normal = both(self.finished, np.stack(list(self._lengths(x))), defects, self.patch)
        return self

    def score(self, x: Floats) -> Scores:
        """Distances of pairs `x` (n, h, w, 2 c)."""
        _check(x, self.patch)
        return self.finished(np.stack(list(self._lengths(x))))

    def finished(self, lengths: Floats) -> Scores:
        """Blurred and grown maps of `lengths` (n, h, w), and what the items score."""
        local = np.empty(lengths.shape, np.float32)
        for one, target in zip(lengths, local, strict=True):
            smooth = ndimage.gaussian_filter(one, self.blur, mode="nearest")
            target[:] = ndimage.maximum_filter(smooth, 2 * self.grow + 1, mode="nearest") if self.grow else smooth
        return Scores(top_mean(np.asarray(local, np.float64), self.pool), local)

    def _lengths(self, x: Floats) -> Iterator[Floats]:
        for one in x:
            cells = difference(one, self.neighbourhood, self.match)
            yield np.abs(patches(cells, self.patch)).mean(axis=-1)

    def state(self) -> State:
        """The settings; nothing is learned."""
        return State({"learned": np.zeros(1, np.float32)}, self.settings())

    def settings(self) -> dict[str, Any]:
        """The constructor's parameters."""
        names = ("match", "neighbourhood", "patch", "blur", "grow", "pool")
        return {name: getattr(self, name) for name in names}

    @classmethod
    def restore(cls, state: State) -> Self:
        """The detector that `state` came from."""
        return cls(**state.settings)


def difference(pair: Floats, neighbourhood: int, match: str) -> NDArray[np.float32]:
    """What the template's neighbourhood does not explain of each cell: (h, w, 2 c) to (h, w, c), signed.

    `range`: per feature, 0 inside the range of the neighbourhood, else the way to its nearer end. `nearest`: the way
    from the nearest vector of the neighbourhood.
    """
    cells = np.asarray(pair, dtype=np.float32)
    test, template = np.split(cells, 2, axis=-1)
    if match == "range":
        size = (neighbourhood, neighbourhood, 1)
        low = ndimage.minimum_filter(template, size, mode="nearest")
        high = ndimage.maximum_filter(template, size, mode="nearest")
        inside: NDArray[np.float32] = test - np.clip(test, low, high)
        return inside
    return _from_nearest(test, template, neighbourhood)


def _from_nearest(test: Floats, template: Floats, neighbourhood: int) -> NDArray[np.float32]:
    r = neighbourhood // 2
    height, width = test.shape[:2]
    padded = np.pad(template, ((r, r), (r, r), (0, 0)), mode="edge")
    best = np.full((height, width), np.inf, np.float32)
    way = np.zeros(test.shape, np.float32)
    for dy in range(neighbourhood):
        for dx in range(neighbourhood):
            step = test - padded[dy : dy + height, dx : dx + width]
            squared = np.einsum("hwc,hwc->hw", step, step)
            closer = squared < best
            best[closer], way[closer] = squared[closer], step[closer]
    return way


def patches(cells: Floats, side: int) -> NDArray[np.float32]:
    """(h, w, c) to (h / side, w / side, side² c): the cells of each patch side by side."""
    height, width, c = cells.shape
    tiles = cells.reshape(height // side, side, width // side, side, c).transpose(0, 2, 1, 3, 4)
    joined: NDArray[np.float32] = np.ascontiguousarray(tiles).reshape(height // side, width // side, -1)
    return joined


def both(finished: Any, lengths: Floats, defects: Mask | None, side: int) -> tuple[Scores, Scores | None]:
    """Scores of `lengths` (n, h, w) by the function `finished`, as they are and with known `defects` left out."""
    scores = finished(lengths)
    if defects is None or not defects.any():
        return scores, None
    return scores, finished(np.where(per_patch(defects, side), np.float32(0), lengths))


def per_patch(mask: Mask, side: int) -> Mask:
    """(n, h, w) to (n, h / side, w / side): patches with any marked cell."""
    n, height, width = mask.shape
    return np.asarray(mask.reshape(n, height // side, side, width // side, side).any(axis=(2, 4)))


def _check(x: Floats, side: int) -> None:
    if x.ndim != 4 or x.shape[-1] % 2:
        raise InputError(
            f"encoded items of shape {x.shape} are no pairs: give images with templates, such as 1_temp.png beside "
            "1_test.png"
        )
    if x.shape[1] % side or x.shape[2] % side:
        raise InputError(f"patch {side}: has to divide the encoder's grid of {x.shape[1]} x {x.shape[2]} cells")
