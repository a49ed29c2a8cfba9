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

Where the two summands disagree about how rare a patch is (`rarity`), the detector is in doubt.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self, cast

import numpy as np
from numpy.typing import NDArray

from agentad.detectors.base import Floats, Ints, Scores, State
from agentad.detectors.feature_diffusion import FeatureDiffusion
from agentad.detectors.memory_bank import MemoryBank, Nearest
from agentad.detectors.pooling import top_mean
from agentad.detectors.rarity import Rarity, disagreement

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

    held_out: Scores
    _rarities: tuple[Rarity, ...] = ()
    """Of the distance and of the excess; none in detectors saved before there was doubt."""

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

    def fit(self, x: Floats, *, groups: Ints | None = None, seed: int = 0) -> Self:
        """Learn both parts from patches `x` (n, h, w, c).

        Raises:
            InputError: fewer than two groups.
        """
        groups = np.arange(len(x)) if groups is None else np.asarray(groups)
        self._diffusion.fit(x, groups=groups, seed=seed)
        cells = self._diffusion.whitening.apply(x)
        self._bank.fit(cells, groups=groups, seed=seed)
        steps, distances = _local(self._diffusion.held_out), _local(self._bank.held_out)
        self._usual = np.stack([self._bank.at_entries(part) for part in (distances, steps)])
        self._units = np.array([np.quantile(distances, 0.95), np.quantile(steps, 0.95)]) + 1e-12
        parts = self._parts(steps, *self._bank.search(cells, EXAMPLES, groups=groups))
        self._rarities = tuple(Rarity.of(part) for part in parts)
        self._scale = Scale.of(self._raw(*parts))
        self.held_out = self._scores(*parts)
        return self

    def score(self, x: Floats) -> Scores:
        """0 is a typical normal patch, 1 the 95th percentile of held-out normal patches."""
        cells = self._diffusion.whitening.apply(x)
        return self._scores(*self._parts(self._diffusion.lengths(cells), *self._bank.search(cells, EXAMPLES)))

    def nearest(self, x: Floats) -> Nearest:
        """The nearest remembered normal of each patch, to show beside it."""
        return self._bank.nearest(self._diffusion.whitening.apply(x))

    def state(self) -> State:
        """Both parts, their names prefixed, and the scales."""
        parts = {"diffusion": self._diffusion.state(), "bank": self._bank.state()}
        arrays: dict[str, NDArray[Any]] = {
            f"{part}.{name}": array for part, state in parts.items() for name, array in state.arrays.items()
        }
        arrays |= {"usual": self._usual, "units": self._units}
        arrays["scale"] = np.array([self._scale.centre, self._scale.spread])
        arrays["rarities"] = np.array([rarity.levels for rarity in self._rarities])
        names = ("size", "components", "power", "local", "weight", "sigma", "steps", "folds", "context", "pool")
        return State(arrays, {name: getattr(self, name) for name in names})

    @classmethod
    def restore(cls, state: State) -> Self:
        """The detector that `state` came from."""
        detector = cls(**state.settings)
        detector._diffusion = FeatureDiffusion.restore(_part(detector._diffusion, state, "diffusion"))
        detector._bank = MemoryBank.restore(_part(detector._bank, state, "bank"))
        detector._usual, detector._units = state.arrays["usual"], state.arrays["units"]
        detector._scale = Scale(*state.arrays["scale"].tolist())
        detector._rarities = tuple(Rarity(levels) for levels in state.arrays.get("rarities", ()))
        return detector

    def _parts(self, steps: Floats, distance: Floats, entry: Ints) -> tuple[Floats, Floats]:
        """The summands d − local u and r − e, from denoising steps (n, h, w) and the neighbours (n, h, w, k)."""
        missing = entry < 0  # fewer neighbours than asked for: the others speak for them
        distances, lengths = (np.nanmean(np.where(missing, np.nan, usual[entry]), axis=-1) for usual in self._usual)
        near = distance[..., 0] - self.local * distances
        return near / self._units[0], (steps - lengths) / self._units[1]

    def _raw(self, distance: Floats, excess: Floats) -> Floats:
        raw: Floats = distance + self.weight * excess
        return raw

    def _scores(self, *parts: Floats) -> Scores:
        local = self._scale.apply(self._raw(*parts))
        doubt = disagreement(self._rarities, parts) if self._rarities else None
        return Scores(top_mean(local, self.pool), local, doubt=doubt)


def _part(unfitted: FeatureDiffusion | MemoryBank, state: State, name: str) -> State:
    """The state of one part, whose settings follow from those of the whole."""
    prefix = f"{name}."
    arrays = {key.removeprefix(prefix): array for key, array in state.arrays.items() if key.startswith(prefix)}
    return State(arrays, unfitted.settings())


def _local(scores: Scores) -> Floats:
    return cast(Floats, scores.local)  # image detectors always have them
