"""The memory bank and feature diffusion on the same whitened features, added up on one calibrated scale.

The bank sees what was never seen; diffusion sees what is rare. Each part is put on the scale of its held-out normals
before the two are averaged, patch by patch, so that a value means the same in every part and every place.
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
    """Mean of the two parts' local scores, each scaled by its held-out normals.

    Args:
        size: entries of the memory bank at most.
        components: directions of the features that both parts see.
        power: how much rare directions are amplified, 0 (not at all) to 0.5 (whitened).
        sigma: noise level of the diffusion score, in units of the features' standard deviation.
        steps: training steps of each of the denoisers.
        folds: number of denoisers.
        pool: an image's score is the mean of this many highest patches.
    """

    held_out: Scores

    def __init__(
        self,
        *,
        size: int = 8000,
        components: int = 160,
        power: float = 0.15,
        sigma: float = 0.7,
        steps: int = 400,
        folds: int = 3,
        pool: int = 4,
    ) -> None:
        self.size = size
        self.components = components
        self.power = power
        self.sigma = sigma
        self.steps = steps
        self.folds = folds
        self.pool = pool
        self._diffusion = FeatureDiffusion(
            components=components, power=power, sigma=sigma, steps=steps, folds=folds, pool=pool
        )
        self._bank = MemoryBank(size=size, pool=pool)

    def fit(self, x: Floats, *, groups: Ints | None = None, seed: int = 0) -> Self:
        """Learn both parts from patches `x` (n, h, w, c).

        Raises:
            InputError: fewer than two groups.
        """
        self._diffusion.fit(x, groups=groups, seed=seed)
        self._bank.fit(self._diffusion.whitening.apply(x), groups=groups, seed=seed)
        parts = _local(self._diffusion.held_out), _local(self._bank.held_out)
        self._scales = tuple(Scale.of(part) for part in parts)
        self.held_out = self._fuse(*parts)
        return self

    def score(self, x: Floats) -> Scores:
        """0 is a typical normal patch, 1 the 95th percentile of held-out normal patches."""
        whitened = self._diffusion.whitening.apply(x)
        return self._fuse(self._diffusion.lengths(whitened), _local(self._bank.score(whitened)))

    def nearest(self, x: Floats) -> Nearest:
        """The nearest remembered normal of each patch, to show beside it."""
        return self._bank.nearest(self._diffusion.whitening.apply(x))

    def state(self) -> State:
        """Both parts, their names prefixed, and the scales."""
        parts = {"diffusion": self._diffusion.state(), "bank": self._bank.state()}
        arrays: dict[str, NDArray[Any]] = {
            f"{part}.{name}": array for part, state in parts.items() for name, array in state.arrays.items()
        }
        arrays["scales"] = np.array([(scale.centre, scale.spread) for scale in self._scales])
        names = ("size", "components", "power", "sigma", "steps", "folds", "pool")
        return State(arrays, {name: getattr(self, name) for name in names})

    @classmethod
    def restore(cls, state: State) -> Self:
        """The detector that `state` came from."""
        detector = cls(**state.settings)
        detector._diffusion = FeatureDiffusion.restore(_part(detector._diffusion, state, "diffusion"))
        detector._bank = MemoryBank.restore(_part(detector._bank, state, "bank"))
        detector._scales = tuple(Scale(*row) for row in state.arrays["scales"].tolist())
        return detector

    def _fuse(self, diffusion: Floats, bank: Floats) -> Scores:
        scaled = [scale.apply(part) for scale, part in zip(self._scales, (diffusion, bank), strict=True)]
        local = (scaled[0] + scaled[1]) / 2
        return Scores(top_mean(local, self.pool), local)


def _part(unfitted: FeatureDiffusion | MemoryBank, state: State, name: str) -> State:
    """The state of one part, whose settings follow from those of the whole."""
    prefix = f"{name}."
    arrays = {key.removeprefix(prefix): array for key, array in state.arrays.items() if key.startswith(prefix)}
    return State(arrays, unfitted.settings())


def _local(scores: Scores) -> Floats:
    return cast(Floats, scores.local)  # image detectors always have them
