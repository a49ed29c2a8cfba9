"""A memory bank of few normal images (one to eight) and of altered copies of them.

The copies (`modalities.image.augment`) stand for normal images that nobody took. They are remembered beside the
images and never judge the image they were made from, so that `held_out` has one honest score an image.

Of a single image there is no such score. Then each of its versions is judged by the others, and the highest of these
scores is all there is to draw a threshold from: a guess. It counts as one score, because copies are no new images.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from agentad.detectors.base import Floats, Ints, Scores, State
from agentad.detectors.memory_bank import CENTRES, MOST_EXACT, Nearest
from agentad.detectors.pooling import top_mean
from agentad.errors import InputError
from agentad.memory.clusters import ClusteredNeighbours
from agentad.memory.neighbours import Neighbours


class FewShotBank:
    """Score = distance to the nearest patch of the training images and their copies.

    Args:
        augment: which copies are made; a name in `modalities.image.augment.AUGMENTATIONS`.
        size: patches remembered at most, chosen at random beyond that.
        pool: an image's score is the mean of this many highest patches.
    """

    uses_copies = True

    held_out: Scores
    """Each image judged by the others and their copies; a single image by its own copies."""
    held_out_normal: Scores
    """What the threshold is drawn from: `held_out`, or the highest score among the versions of a single image."""

    def __init__(self, *, augment: str = "all", size: int = 200_000, pool: int = 4) -> None:
        self.augment = augment
        self.size = size
        self.pool = pool

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the scores has to know."""
        if self._different == 1:
            return (
                "Learned from a single normal image: the threshold is a guess. It is the highest score among altered "
                "copies of that image, which says little of how far other normal images lie. Go by the order of the "
                "scores, not by the flags, and add good images.",
            )
        return (
            f"Learned from {self._different} normal images and altered copies of them: weaker than with dozens of "
            "images, in what it finds and in how sure the threshold is.",
        )

    def fit(self, x: Floats, *, groups: Ints | None = None, seed: int = 0, copies: Floats | None = None) -> Self:
        """Remember the patches of images `x` (n, h, w, c) and of their `copies` (n, k, h, w, c).

        Raises:
            InputError: all images are of one group and have no copies, so that nothing can judge anything.
        """
        groups = np.arange(len(x)) if groups is None else np.asarray(groups)
        self._different = len(np.unique(groups))
        versions = x[:, None] if copies is None else np.concatenate([x[:, None], copies], axis=1)
        if versions.shape[0] * versions.shape[1] < 2:
            raise InputError("a single image without altered copies cannot be judged; set augment, or add images")
        alone = self._different == 1
        owner = np.arange(versions[..., 0, 0, 0].size) if alone else np.repeat(groups, versions.shape[1])
        self._show(x)
        self._remember(versions.reshape(-1, x.shape[-1]), np.repeat(owner, self._per_item), seed)
        if alone:
            every = self._scores(versions.reshape(-1, *x.shape[1:]), owner)
            self.held_out = every.take(np.arange(len(x)) * versions.shape[1])
            self.held_out_normal = every.take(np.array([every.item.argmax()]))
        else:
            self.held_out = self.held_out_normal = self._scores(x, groups)
        return self

    def score(self, x: Floats) -> Scores:
        """Distances of images `x` (n, h, w, c)."""
        return self._scores(x)

    def nearest(self, x: Floats) -> Nearest:
        """The nearest patch of the training images themselves, to show beside each patch; copies are not shown."""
        distance, entry = self._originals.search(x.reshape(-1, x.shape[-1]), 1)
        item, cell = np.divmod(entry.reshape(x.shape[:-1]), self._per_item)
        return Nearest(item, cell, distance.reshape(x.shape[:-1]))

    def state(self) -> State:
        """The bank's entries, and the images' own patches."""
        arrays: dict[str, NDArray[Any]] = {"vectors": self._entries.references}
        if isinstance(self._entries, ClusteredNeighbours):
            arrays[CENTRES] = self._entries.centres
        shape = (-1, self._per_item, self._originals.references.shape[1])
        arrays |= {"images": self._originals.references.reshape(shape), "different": np.array([self._different])}
        return State(arrays, {name: getattr(self, name) for name in ("augment", "size", "pool")})

    @classmethod
    def restore(cls, state: State) -> Self:
        """The detector that `state` came from."""
        detector = cls(**state.settings)
        vectors, centres = state.arrays["vectors"], state.arrays.get(CENTRES)
        detector._entries = Neighbours(vectors) if centres is None else ClusteredNeighbours(vectors, centres=centres)
        detector._different = int(state.arrays["different"][0])
        detector._show(state.arrays["images"])
        return detector

    def _show(self, images: Floats) -> None:
        """Make the patches of `images` (n, ..., c) what `nearest` looks among."""
        self._per_item = int(np.prod(images.shape[1:-1]))
        self._originals = Neighbours(images.reshape(-1, images.shape[-1]))

    def _remember(self, rows: Floats, owner: Ints, seed: int) -> None:
        """Remember patches `rows` (m, c), each of the group in `owner` (m,)."""
        picked = np.sort(np.random.default_rng(seed).choice(len(rows), min(self.size, len(rows)), replace=False))
        kind = ClusteredNeighbours if len(picked) > MOST_EXACT else Neighbours
        self._entries: Neighbours | ClusteredNeighbours = kind(rows[picked], groups=owner[picked])

    def _scores(self, x: Floats, groups: Ints | None = None) -> Scores:
        """Distances of images `x` (n, h, w, c); with `groups` (n,), to what is not of their own group."""
        own = None if groups is None else np.repeat(groups, self._per_item)
        distance, _ = self._entries.search(x.reshape(-1, x.shape[-1]), 1, leave_out=own)
        if not np.isfinite(distance).all():
            raise InputError("one group holds the whole memory bank, so nothing can judge it; raise size")
        local = distance.reshape(x.shape[:-1]).astype(np.float64)
        return Scores(top_mean(local, self.pool), local)
