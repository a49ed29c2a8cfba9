"""Feature diffusion: how far the denoiser moves a clean feature.

An EDM denoiser (https://arxiv.org/abs/2206.00364) of whitened patch features. At noise level σ the step D(x; σ) − x is
σ² times the score of the smoothed density, so its length is large where normal features are rare. No noise is drawn.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray

from agentad.backbones.threads import torch_threads
from agentad.detectors.base import Floats, Ints, Scores, State
from agentad.detectors.folds import group_folds
from agentad.detectors.pooling import top_mean
from agentad.detectors.whitening import Whitening
from agentad.diffusion.denoisers import MlpDenoiser
from agentad.diffusion.edm import Edm
from agentad.diffusion.train import Training, train_denoiser


class FeatureDiffusion:
    """Score = ‖D(x; σ) − x‖, the mean over denoisers that each learned from all folds but one.

    The denoisers that make up the detector also judge the training items they have not seen, so `held_out` needs no
    fit of its own. Only the whitening, one linear map, has seen every item.

    Args:
        components: directions of the features that are kept.
        power: how much rare directions are amplified, 0 (not at all) to 0.5 (whitened).
        sigma: noise level of the score, in units of the features' standard deviation.
        width: width of the denoiser.
        steps: training steps of each denoiser.
        folds: number of denoisers.
        sample: patches to learn from at most.
        pool: an image's score is the mean of this many highest patches.
    """

    held_out: Scores
    whitening: Whitening
    """The features that the denoisers work on. Learned from all training items."""

    def __init__(
        self,
        *,
        components: int = 160,
        power: float = 0.15,
        sigma: float = 0.7,
        width: int = 256,
        steps: int = 400,
        folds: int = 3,
        sample: int = 60_000,
        pool: int = 4,
    ) -> None:
        self.components = components
        self.power = power
        self.sigma = sigma
        self.width = width
        self.steps = steps
        self.folds = folds
        self.sample = sample
        self.pool = pool
        self._edm = Edm()
        self._denoisers: list[MlpDenoiser] = []

    def fit(self, x: Floats, *, groups: Ints | None = None, seed: int = 0) -> Self:
        """Learn the denoisers from patches of `x` (n, h, w, c) or from its rows (n, d).

        Raises:
            InputError: fewer than two groups, so that no item can be judged by a denoiser that has not seen it.
        """
        groups = np.arange(len(x)) if groups is None else np.asarray(groups)
        fold = group_folds(groups, self.folds, seed)
        rng = np.random.default_rng(seed)
        self.whitening = Whitening.fit(_sample(x, self.sample, rng), components=self.components, power=self.power)
        cells = self.whitening.apply(x)
        self._denoisers = [
            self._learn(_sample(cells[fold != k], self.sample, rng), seed + k) for k in range(fold.max() + 1)
        ]
        local = np.empty(x.shape[:-1])
        for k, denoiser in enumerate(self._denoisers):
            local[fold == k] = self._length(denoiser, cells[fold == k])
        self.held_out = self._as_scores(local)
        return self

    def score(self, x: Floats) -> Scores:
        """Mean length of the denoising step over the denoisers."""
        return self._as_scores(self.lengths(self.whitening.apply(x)))

    def lengths(self, cells: NDArray[np.float32]) -> NDArray[np.float32]:
        """Local scores of whitened patches (..., d), as (...)."""
        lengths: NDArray[np.float32] = np.mean([self._length(d, cells) for d in self._denoisers], axis=0)
        return lengths

    def state(self) -> State:
        """The whitening and the denoisers' weights, each name prefixed by its denoiser's number."""
        arrays: dict[str, NDArray[np.float32]] = {"mean": self.whitening.mean, "matrix": self.whitening.matrix}
        for k, denoiser in enumerate(self._denoisers):
            arrays |= {f"{k}.{name}": tensor.numpy() for name, tensor in denoiser.state_dict().items()}
        return State(arrays, self.settings())

    def settings(self) -> dict[str, Any]:
        """The constructor's parameters."""
        names = ("components", "power", "sigma", "width", "steps", "folds", "sample", "pool")
        return {name: getattr(self, name) for name in names}

    @classmethod
    def restore(cls, state: State) -> Self:
        """The detector that `state` came from."""
        detector = cls(**state.settings)
        detector.whitening = Whitening(state.arrays["mean"], state.arrays["matrix"])
        weights = {name: torch.from_numpy(a) for name, a in state.arrays.items() if name[0].isdigit()}
        for k in range(len({name.partition(".")[0] for name in weights})):
            denoiser = detector._denoiser(detector.whitening.matrix.shape[1])
            denoiser.load_state_dict({n.partition(".")[2]: t for n, t in weights.items() if n.startswith(f"{k}.")})
            detector._denoisers.append(denoiser.eval())
        return detector

    def _denoiser(self, dim: int) -> MlpDenoiser:
        return MlpDenoiser(dim, width=self.width)

    @torch_threads()
    def _learn(self, cells: Floats, seed: int) -> MlpDenoiser:
        with torch.random.fork_rng(devices=[]):  # layers draw their weights from torch's global generator
            torch.manual_seed(seed)
            denoiser = self._denoiser(cells.shape[-1])
        train_denoiser(denoiser, torch.from_numpy(cells), edm=self._edm, training=Training(steps=self.steps), seed=seed)
        return denoiser

    @torch_threads()
    @torch.inference_mode()
    def _length(self, denoiser: MlpDenoiser, cells: NDArray[np.float32]) -> NDArray[np.float32]:
        """‖D(x; σ) − x‖ of `cells` (n, ..., d), as (n, ...). One item after the other, as in `Whitening.apply`."""
        sigma = torch.tensor([self.sigma])
        length = np.empty(cells.shape[:-1], np.float32)
        for item, target in zip(cells, length, strict=True):
            rows = torch.from_numpy(item.reshape(-1, item.shape[-1]))
            step = self._edm.denoise(denoiser, rows, sigma) - rows
            target[...] = step.norm(dim=1).numpy().reshape(target.shape)
        return length

    def _as_scores(self, local: Floats) -> Scores:
        local = local.astype(np.float64)
        return Scores(top_mean(local, self.pool), local)


def _sample(x: Floats, n: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """At most `n` of the patches of `x` (..., c), as rows."""
    rows = x.reshape(-1, x.shape[-1])
    picked = np.sort(rng.choice(len(rows), min(n, len(rows)), replace=False))
    return rows[picked].astype(np.float32)
