"""A head that adapts the backbone itself to a few outlined anomalies, beside the patch head on frozen features.

Some adapters (see `backbones.adapter`) are taught on images: each sees all folds of the normals but one, and all
anomalies. Half of the images drawn are normal, a half of whose weight is on their hard cells, those that the
unsupervised detector scores highest; of the anomalies' half, the real ones get as much as all invented ones, and two
thirds of an image's weight are on marked cells. With p the patch head's map and z the mean of the adapters' log odds,
on a scale where held-out normals have median 0 and 95th percentile 1,

    local = (1 − share) p + share z         item = mean of the highest

The detector below keeps the base features: adapters are a second pass through the same weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from agentad.backbones.adapter import AdaptedVit, Lessons, Read, Teaching
from agentad.detectors.bank_diffusion import Scale
from agentad.detectors.base import Floats, Scores, State
from agentad.detectors.folds import group_folds
from agentad.detectors.judged import Judged, Pictures
from agentad.detectors.patch_head import PatchHead
from agentad.detectors.pooling import top_mean
from agentad.errors import InputError

_HARD = 0.05
"""Share of the normal cells, those with the highest unsupervised scores, that counts as hard."""
_PATCH, _ADAPTER = "patch.", "adapter{}."


class LoraHead:
    """Marks patches by a patch head and adapted backbones together. Higher = more anomalous.

    Args:
        rank: of the adapters' matrices.
        steps: training steps of each adapter, of eight images each.
        rate: highest learning rate of the adapters.
        folds: number of adapters; each learns from all folds of the normals but one, and judges that one.
        share: weight of the adapters beside the patch head, 0 (none) to 1 (nothing else).
        trust: the patch head's weight of labels beside the unsupervised score.
        fine: cells of the map along the side of a patch.
        pool: an image's score is the mean of the highest cells, as many as make up this many patches.
    """

    uses_images = True
    held_out: Scores
    """After `fit`: scores of the normal images, each by networks that have not seen it or its group."""

    def __init__(
        self,
        *,
        rank: int = 4,
        steps: int = 60,
        rate: float = 1e-3,
        folds: int = 2,
        share: float = 0.33,
        trust: float = 0.5,
        fine: int = 3,
        pool: int = 4,
    ) -> None:
        self.rank = rank
        self.steps = steps
        self.rate = rate
        self.folds = folds
        self.share = share
        self.trust = trust
        self.fine = fine
        self.pool = pool
        self._models: list[AdaptedVit] = []
        self._encoder: Any = None
        """What `_models` adapt."""

    def fit(self, normal: Judged, real: Judged, invented: Judged | None = None, *, seed: int = 0) -> Self:
        """Learn from normal images with their held-out scores, real anomalies, and perhaps invented ones.

        Raises:
            InputError: what `PatchHead.fit` raises, items without pictures, or an encoder without a transformer.
        """
        anomalies = [part for part in (real, invented) if part is not None and len(part)]
        encoder = _pictures(normal).encoder
        self._patch = PatchHead(trust=self.trust, fine=self.fine, pool=self.pool).fit(normal, real, invented, seed=seed)
        below = self._patch.held_out
        where = [self._patch.outlines(part) for part in anomalies]
        hard = self._hard(normal)
        groups = np.arange(len(normal)) if normal.group is None else normal.group
        fold = group_folds(groups, self.folds, seed)
        z = np.empty(hard.shape, np.float32)
        self._models, self._encoder = [], encoder
        for k in range(fold.max() + 1):
            seen, own = np.flatnonzero(fold != k), np.flatnonzero(fold == k)
            model = AdaptedVit(encoder, rank=self.rank, fine=self.fine, seed=seed + k)
            lessons = _lessons(normal.take(seen), hard[seen], anomalies, where)
            model.teach(lessons, teaching=Teaching(steps=self.steps, rate=self.rate), seed=seed + k)
            z[own] = model.log_odds(_pictures(normal.take(own)).read)
            self._models.append(model)
        self._arrays = [model.arrays() for model in self._models]
        self._scale = Scale.of(z)
        self.held_out = self._fused(below, z)
        return self

    def score(self, items: Judged) -> Scores:
        """Scores (n,) and maps (n, fine · h, fine · w) of images; 1 is a high score of a normal cell.

        Raises:
            InputError: items without pictures or without maps of scores.
        """
        pictures = _pictures(items)
        below = self._patch.score(items)
        z = np.zeros(_map(below).shape, np.float32)
        for model in self._on(pictures.encoder):
            z += model.log_odds(pictures.read) / np.float32(len(self._arrays))
        return self._fused(below, z)

    def state(self) -> State:
        """The patch head's, each adapter by peft's names, each name prefixed by whose it is, and the scale."""
        patch = self._patch.state()
        arrays: dict[str, NDArray[Any]] = {_PATCH + name: array for name, array in patch.arrays.items()}
        for k, own in enumerate(self._arrays):
            arrays |= {_ADAPTER.format(k) + name: array for name, array in own.items()}
        arrays["scale"] = np.array([self._scale.centre, self._scale.spread])
        names = ("rank", "steps", "rate", "folds", "share", "trust", "fine", "pool")
        own_settings: dict[str, Any] = {name: getattr(self, name) for name in names}
        return State(arrays, {"patch": patch.settings, "adapters": len(self._arrays), "own": own_settings})

    @classmethod
    def restore(cls, state: State) -> Self:
        """The head that `state` came from, without `held_out`. The adapters wait for the first images."""
        head = cls(**state.settings["own"])
        head._patch = PatchHead.restore(State(_under(_PATCH, state.arrays), state.settings["patch"]))
        head._arrays = [_under(_ADAPTER.format(k), state.arrays) for k in range(state.settings["adapters"])]
        centre, spread = state.arrays["scale"].tolist()
        head._scale = Scale(centre, spread)
        return head

    def _on(self, encoder: Any) -> Sequence[AdaptedVit]:
        if self._encoder is not encoder:
            models = [AdaptedVit(encoder, rank=self.rank, fine=self.fine) for _ in self._arrays]
            for model, arrays in zip(models, self._arrays, strict=True):
                model.take(arrays)
            self._models, self._encoder = models, encoder
        return self._models

    def _hard(self, normal: Judged) -> NDArray[np.bool_]:
        """Which cells of normal images are hard, (n, fine · h, fine · w)."""
        local = _map(normal.scores)
        hard = local > np.quantile(local, 1 - _HARD)
        return hard.repeat(self.fine, axis=1).repeat(self.fine, axis=2)

    def _fused(self, below: Scores, z: NDArray[np.float32]) -> Scores:
        local = ((1 - self.share) * _map(below) + self.share * self._scale.apply(z)).astype(np.float32)
        return replace(below, item=top_mean(local, self.pool * self.fine**2), local=local)


def _lessons(normal: Judged, hard: NDArray[np.bool_], anomalies: Sequence[Judged], where: Sequence[Floats]) -> Lessons:
    images: list[Read] = [read for part in (normal, *anomalies) for read in _pictures(part).read]
    chance = [np.full(len(normal), 0.5 / len(normal))]
    chance += [np.full(len(part), 0.5 / len(anomalies) / len(part)) for part in anomalies]
    weight = [_weights(hard, 0.5), *(_weights(own > 0, 2 / 3) for own in where)]
    share = [np.zeros(hard.shape, np.float32), *where]
    return Lessons(images, *(np.concatenate(part).astype(np.float32) for part in (share, weight, chance)))


def _weights(first: NDArray[np.bool_], most: float) -> Floats:
    """Of the same shape; those of an image sum to 1, and those of its `first` cells, if it has any, to `most`."""
    flat = first.reshape(len(first), -1)
    one, two = (part.sum(axis=1, keepdims=True) for part in (flat, ~flat))
    most_ = np.where(one == 0, 0.0, np.where(two == 0, 1.0, most))
    found = flat * most_ / np.maximum(one, 1) + ~flat * (1 - most_) / np.maximum(two, 1)
    return found.reshape(first.shape)  # type: ignore[no-any-return]


def _pictures(items: Judged) -> Pictures:
    if items.pictures is None:
        raise InputError("lora-head learns from images and was given their features alone; use patch-head")
    return items.pictures


def _map(scores: Scores) -> Floats:
    if scores.local is None:
        raise InputError("the unsupervised detector gives no map of scores; use one for images, such as bank-diffusion")
    return scores.local


def _under(prefix: str, arrays: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
