"""The memory bank and feature diffusion on the same whitened features, added up on one calibrated scale.

Notation, for a patch x and the normals nearest to it, each of which was judged by the others when it was held out:

    d(x)   distance to the nearest remembered normal
    u(x)   what d was for these normals
    r(x)   length of the denoising step, given the patches around x
    e(x)   what r was for these normals
    s(x)   (d − local u) + weight (r − e), each in units of the 95th percentile over held-out normals, then shifted and
           scaled so that held-out normals have median 0 and 95th percentile 1

Where normal patches are varied, such as on edges and prints, they lie far from each other and are moved far: d and r
alone find the object, not the defect. What is usual among the neighbours takes most of that away. The bank remembers
nearly all patches: of a small object, a random subset leaves out what would have been the match.

What is usual, which directions are rare, and what a denoiser makes of a patch are known as well as there are images to
learn them from: with fewer than `ENOUGH`, `local`, `weight` and `power` are taken in proportion, down to a plain bank.

Of images of several categories, a patch is compared with the normals of its own category: the bank keeps them apart
(`categories`), the denoisers are told the category, and units, shift and scale are each category's own, so that 0 and 1
mean the same in all of them. An image whose category is not told is taken to be of the one whose normals are nearest.

Where the two summands disagree about how rare a patch is (`rarity`), the detector is in doubt.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self, cast

import numpy as np
from numpy.typing import NDArray

from agentad.detectors.base import Floats, Ints, Scores, State
from agentad.detectors.categories import Apart
from agentad.detectors.feature_diffusion import FeatureDiffusion
from agentad.detectors.memory_bank import MemoryBank, Nearest
from agentad.detectors.pooling import top_mean
from agentad.detectors.rarity import Rarity, disagreement
from agentad.errors import InputError

ENOUGH = 200
"""Images (of each category) from which `local`, `weight` and `power` are taken in full. In full with 31 images, pixel
AP was less than half of the bank's."""
EXAMPLES = 5
"""Neighbours that say how long the denoising step usually is."""


@dataclass(frozen=True)
class Scale:
    """Where normals lie: 0 is their median, 1 their 95th percentile."""

    centre: float
    spread: float

    @classmethod
    def of(cls, normal: Floats) -> Self:
        """The scale of held-out normal scores, of any shape."""
        centre, high = np.quantile(normal, (0.5, 0.95))
        return cls(float(centre), max(float(high - centre), 1e-12))

    def apply(self, score: Floats) -> Floats:
        """Scores on this scale."""
        scaled: Floats = (score - self.centre) / self.spread
        return scaled


@dataclass(frozen=True)
class _Usual:
    """What both summands are among held-out normals, of one category where there are several."""

    units: Floats
    """(2,) 95th percentiles of the distance and of the step."""
    rarities: tuple[Rarity, ...]
    """Of both summands, in these units; none in detectors saved before there was doubt."""
    scale: Scale


class BankDiffusion:
    """Excess of distance and of the denoising step over that of the nearest normals; 1 is a held-out 95th percentile.

    Args:
        size: entries of the memory bank at most.
        local: how much of the distance that is usual among the neighbours is taken off, 0 to 1.
        weight: how much diffusion counts beside the distance.
        components: directions of the features that both parts see.
        power: how much rare directions are amplified, 0 (not at all) to 0.5 (whitened).
        sigma: noise level of the diffusion score, in units of the features' standard deviation.
        steps: training steps of each of the denoisers.
        folds: number of denoisers.
        context: leading directions of the surrounding patches that the denoisers are told.
        pool: an image's score is the mean of this many highest patches.
    """

    uses_categories = True

    held_out: Scores
    _apart: Apart | None = None
    """Where there are several categories."""
    _usuals: tuple[_Usual, ...]
    """One for each category."""
    _trust: float
    """Share of `local`, `weight` and `power` that is used."""

    def __init__(
        self,
        *,
        size: int = 200_000,
        components: int = 160,
        power: float = 0.2,
        local: float = 0.6,
        weight: float = 0.7,
        sigma: float = 0.2,
        steps: int = 400,
        folds: int = 2,
        context: int = 32,
        pool: int = 4,
    ) -> None:
        self.size = size
        self.components = components
        self.power = power
        self.local = local
        self.weight = weight
        self.sigma = sigma
        self.steps = steps
        self.folds = folds
        self.context = context
        self.pool = pool
        self._diffusion = FeatureDiffusion(
            components=components, power=power, sigma=sigma, steps=steps, folds=folds, context=context, pool=pool
        )
        self._bank = MemoryBank(size=size, pool=pool)

    @property
    def categories(self) -> int:
        """How many it was told of; 0 where it was told of none."""
        return self._apart.count if self._apart else 0

    def fit(self, x: Floats, *, groups: Ints | None = None, seed: int = 0, categories: Ints | None = None) -> Self:
        """Learn both parts from patches `x` (n, h, w, c).

        Args:
            x: patches.
            groups: (n,) items of one group never judge each other.
            seed: of all drawing.
            categories: (n,) which category each item is of, 0 and up, each with items of at least two groups.

        Raises:
            InputError: fewer than two groups, or a category that has fewer.
        """
        groups = np.arange(len(x)) if groups is None else np.asarray(groups)
        if categories is not None:
            _refuse_alone(categories, groups)
        kinds = 1 if categories is None else int(categories.max()) + 1
        self._trust = min(1.0, len(np.unique(groups)) / kinds / ENOUGH)
        self._diffusion.power = self._trust * self.power
        self._diffusion.fit(x, groups=groups, seed=seed, categories=categories)
        cells = self._diffusion.whitening.apply(x)
        self._apart = None if categories is None else Apart.of(cells, categories)
        if self._apart and categories is not None:
            cells = self._apart.apply(cells, categories)
        self._bank.remember(cells, groups, seed)
        found = self._bank.search(cells, EXAMPLES, groups=groups)
        steps, distances = _local(self._diffusion.held_out), found[0][..., 0].astype(np.float64)
        self._usual = np.stack([self._bank.at_entries(part) for part in (distances, steps)])
        parts = self._parts(steps, *found)
        of = np.zeros(len(x), np.int64) if categories is None else categories
        self._usuals = tuple(
            self._usual_of(distances[of == c], steps[of == c], *(part[of == c] for part in parts))
            for c in range(of.max() + 1)
        )
        self.held_out = self._scores(categories, *parts)
        return self

    def score(self, x: Floats, *, categories: Ints | None = None) -> Scores:
        """0 is a typical normal patch, 1 the 95th percentile of held-out normal patches.

        `categories` (n,) as `fit` was told them, -1 or None where it is not known; it is then taken to be the one
        whose normals are nearest on average, and `Scores.category` says which that is.
        """
        cells = self._diffusion.whitening.apply(x)
        of = self._settled(cells, categories)
        found = self._bank.search(self._told(cells, of), EXAMPLES)
        return self._scores(of, *self._parts(self._diffusion.lengths(cells, of), *found))

    def nearest(self, x: Floats, *, categories: Ints | None = None) -> Nearest:
        """The nearest remembered normal of each patch, to show beside it; `categories` (n,) as for `score`."""
        cells = self._diffusion.whitening.apply(x)
        return self._bank.nearest(self._told(cells, self._settled(cells, categories)))

    def state(self) -> State:
        """Both parts, their names prefixed, and the scales."""
        parts = {"diffusion": self._diffusion.state(), "bank": self._bank.state()}
        arrays: dict[str, NDArray[Any]] = {
            f"{part}.{name}": array for part, state in parts.items() for name, array in state.arrays.items()
        }
        arrays |= {"usual": self._usual, "trust": np.array([self._trust])}
        told = [
            {
                "units": usual.units,
                "scale": np.array([usual.scale.centre, usual.scale.spread]),
                "rarities": np.array([rarity.levels for rarity in usual.rarities]),
            }
            for usual in self._usuals
        ]
        if self._apart:  # with one more axis at the front, for the categories
            arrays |= {name: np.stack([own[name] for own in told]) for name in told[0]}
            arrays["apart"] = np.array([self._apart.side])
        else:
            arrays |= told[0]
        names = ("size", "components", "power", "local", "weight", "sigma", "steps", "folds", "context", "pool")
        return State(arrays, {name: getattr(self, name) for name in names})

    @classmethod
    def restore(cls, state: State) -> Self:
        """The detector that `state` came from."""
        detector = cls(**state.settings)
        detector._diffusion = FeatureDiffusion.restore(_part(detector._diffusion, state, "diffusion"))
        detector._bank = MemoryBank.restore(_part(detector._bank, state, "bank"))
        detector._trust = float(state.arrays["trust"][0])
        detector._usual, units, scales = (state.arrays[name] for name in ("usual", "units", "scale"))
        rarities = state.arrays.get("rarities", np.zeros((0, 0)))
        if "apart" in state.arrays:
            detector._apart = Apart(float(state.arrays["apart"][0]), len(units))
        else:
            units, scales, rarities = units[None], scales[None], rarities[None]
        detector._usuals = tuple(
            _Usual(unit, tuple(map(Rarity, levels)), Scale(*scale.tolist()))
            for unit, levels, scale in zip(units, rarities, scales, strict=True)
        )
        return detector

    def _settled(self, cells: NDArray[np.float32], categories: Ints | None) -> Ints | None:
        """The category (n,) of each item, found by its whitened patches (n, h, w, d) where it is not told."""
        if self._apart is None:
            return None
        of = np.full(len(cells), -1) if categories is None else np.array(categories, dtype=np.int64)
        open_ = np.flatnonzero(of < 0)
        if len(open_):
            candidates = [
                self._bank.search(self._apart.apply(cells[open_], np.full(len(open_), c)), 1)[0].mean(axis=(1, 2, 3))
                for c in range(self._apart.count)
            ]
            of[open_] = np.argmin(candidates, axis=0)
        return of

    def _told(self, cells: NDArray[np.float32], categories: Ints | None) -> NDArray[np.float32]:
        """Whitened patches as the bank remembers them."""
        return cells if self._apart is None or categories is None else self._apart.apply(cells, categories)

    def _usual_of(self, distances: Floats, steps: Floats, near: Floats, excess: Floats) -> _Usual:
        """From distances, steps and both summands of held-out normals (n, h, w)."""
        units = np.array([np.quantile(distances, 0.95), np.quantile(steps, 0.95)]) + 1e-12
        parts = near / units[0], excess / units[1]
        return _Usual(units, tuple(map(Rarity.of, parts)), Scale.of(self._raw(*parts)))

    def _parts(self, steps: Floats, distance: Floats, entry: Ints) -> tuple[Floats, Floats]:
        """The summands d − local u and r − e, from denoising steps (n, h, w) and the neighbours (n, h, w, k)."""
        missing = entry < 0  # fewer neighbours than asked for: the others speak for them
        distances, lengths = (np.nanmean(np.where(missing, np.nan, usual[entry]), axis=-1) for usual in self._usual)
        return distance[..., 0] - self._trust * self.local * distances, steps - lengths

    def _raw(self, distance: Floats, excess: Floats) -> Floats:
        raw: Floats = distance + self._trust * self.weight * excess
        return raw

    def _scores(self, categories: Ints | None, near: Floats, excess: Floats) -> Scores:
        """From both summands (n, h, w), of items of the `categories` (n,) where there are several."""
        of = np.zeros(len(near), np.int64) if categories is None else categories
        local, doubt = np.empty(near.shape), np.zeros(near.shape, np.float32)
        for c in np.unique(of).tolist():
            usual, own = self._usuals[c], of == c
            parts = near[own] / usual.units[0], excess[own] / usual.units[1]
            local[own] = usual.scale.apply(self._raw(*parts))
            if usual.rarities:
                doubt[own] = disagreement(usual.rarities, parts)
        known = bool(self._usuals[0].rarities)
        return Scores(top_mean(local, self.pool), local, doubt=doubt if known else None, category=categories)


def _refuse_alone(categories: Ints, groups: Ints) -> None:
    for category in range(int(categories.max()) + 1):
        found = len(np.unique(groups[categories == category]))
        if found < 2:
            raise InputError(
                f"category {category} has items of {found} group(s), and needs 2 at least. Add normal items of it, or "
                "leave the category out."
            )


def _part(unfitted: FeatureDiffusion | MemoryBank, state: State, name: str) -> State:
    """The state of one part, whose settings follow from those of the whole."""
    prefix = f"{name}."
    arrays = {key.removeprefix(prefix): array for key, array in state.arrays.items() if key.startswith(prefix)}
    return State(arrays, unfitted.settings())


def _local(scores: Scores) -> Floats:
    return cast(Floats, scores.local)  # image detectors always have them
