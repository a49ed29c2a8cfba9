"""Feature diffusion: how far the denoiser moves a clean feature, given the features around it.

An EDM denoiser (https://arxiv.org/abs/2206.00364) of whitened patch features. At noise level σ the step D(x; σ) − x is
σ² times the score of the smoothed density, so its length is large where normal features are rare. No noise is drawn.

The denoiser sees the eight patches around the one it denoises (`around`), so that the density is that of a patch in its
surroundings: what is usual elsewhere, but not here, is rare. It can be told which of several categories an image is of,
as a one-hot code beside the surroundings: then the density is that of a patch in an image of this category.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agentad.backbones.threads import torch_threads
from agentad.detectors.base import Floats, Ints, Scores, State
from agentad.detectors.folds import group_folds
from agentad.detectors.pooling import top_mean
from agentad.detectors.whitening import Whitening
from agentad.diffusion.denoisers import MlpDenoiser
from agentad.diffusion.edm import Edm
from agentad.diffusion.train import Training, train

AROUND = [(i, j) for i in range(3) for j in range(3) if (i, j) != (1, 1)]
"""(row, column) of the eight neighbours, counted from the top left one."""


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
        context: leading directions of the eight surrounding patches that the denoiser is told; 0 for none.
        pool: an image's score is the mean of this many highest patches.
    """

    held_out: Scores
    whitening: Whitening
    """The features that the denoisers work on. Learned from all training items."""
    _categories: int = 0
    """How many the denoisers were told of."""

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
        context: int = 32,
    ) -> None:
        self.components = components
        self.power = power
        self.sigma = sigma
        self.width = width
        self.steps = steps
        self.folds = folds
        self.sample = sample
        self.pool = pool
        self.context = context
        self._edm = Edm()
        self._denoisers: list[MlpDenoiser] = []

    def fit(self, x: Floats, *, groups: Ints | None = None, seed: int = 0, categories: Ints | None = None) -> Self:
        """Learn the denoisers from patches of `x` (n, h, w, c), of images of the `categories` (n,) 0 and up, if any.

        Raises:
            InputError: fewer than two groups, so that no item can be judged by a denoiser that has not seen it.
        """
        groups = np.arange(len(x)) if groups is None else np.asarray(groups)
        fold = group_folds(groups, self.folds, seed, categories)
        self._categories = 0 if categories is None else int(categories.max()) + 1
        rng = np.random.default_rng(seed)
        picked = _drawn(np.arange(len(x)), x, self.sample, rng)
        rows = x.reshape(-1, x.shape[-1])[picked].astype(np.float32)
        self.whitening = Whitening.fit(rows, components=self.components, power=self.power)
        cells = self.whitening.apply(x)
        self._denoisers = [
            self._learn(cells, categories, _drawn(np.flatnonzero(fold != k), x, self.sample, rng), seed + k)
            for k in range(fold.max() + 1)
        ]
        local = np.empty(x.shape[:-1])
        for k, denoiser in enumerate(self._denoisers):
            local[fold == k] = self._length(denoiser, cells[fold == k], _of(categories, fold == k))
        self.held_out = self._as_scores(local)
        return self

    def score(self, x: Floats) -> Scores:
        """Mean length of the denoising step over the denoisers."""
        return self._as_scores(self.lengths(self.whitening.apply(x)))

    def lengths(self, cells: NDArray[np.float32], categories: Ints | None = None) -> NDArray[np.float32]:
        """Local scores of whitened patches (n, h, w, d), as (n, h, w); `categories` (n,) where `fit` was told them."""
        lengths: NDArray[np.float32] = np.mean([self._length(d, cells, categories) for d in self._denoisers], axis=0)
        return lengths

    def state(self) -> State:
        """The whitening and the denoisers' weights, each name prefixed by its denoiser's number."""
        arrays: dict[str, NDArray[np.float32]] = {"mean": self.whitening.mean, "matrix": self.whitening.matrix}
        for k, denoiser in enumerate(self._denoisers):
            arrays |= {f"{k}.{name}": tensor.numpy() for name, tensor in denoiser.state_dict().items()}
        return State(arrays, self.settings())

    def settings(self) -> dict[str, Any]:
        """The constructor's parameters."""
        names = ("components", "power", "sigma", "width", "steps", "folds", "sample", "pool", "context")
        return {name: getattr(self, name) for name in names}

    @classmethod
    def restore(cls, state: State) -> Self:
        """The detector that `state` came from."""
        detector = cls(**state.settings)
        detector.whitening = Whitening(state.arrays["mean"], state.arrays["matrix"])
        weights = {name: torch.from_numpy(a) for name, a in state.arrays.items() if name[0].isdigit()}
        known = detector._known(detector.whitening.matrix.shape[1])  # what the network is told beyond is the category
        detector._categories = weights["0.context.weight"].shape[1] - known if "0.context.weight" in weights else 0
        for k in range(len({name.partition(".")[0] for name in weights})):
            denoiser = detector._denoiser(detector.whitening.matrix.shape[1])
            denoiser.load_state_dict({n.partition(".")[2]: t for n, t in weights.items() if n.startswith(f"{k}.")})
            detector._denoisers.append(denoiser.eval())
        return detector

    def _denoiser(self, dim: int) -> MlpDenoiser:
        return MlpDenoiser(dim, width=self.width, context=self._known(dim) + self._categories)

    def _known(self, dim: int) -> int:
        """Numbers that the denoiser is told of the surroundings."""
        return 8 * min(self.context, dim)

    @torch_threads()
    def _learn(self, cells: NDArray[np.float32], categories: Ints | None, picked: Ints, seed: int) -> MlpDenoiser:
        """A denoiser of the patches of `cells` (n, h, w, d) that `picked` counts, item by item."""
        dim = cells.shape[-1]
        with torch.random.fork_rng(devices=[]):  # layers draw their weights from torch's global generator
            torch.manual_seed(seed)
            denoiser = self._denoiser(dim)
        samples = torch.from_numpy(self._with_context(cells, categories, picked))

        def loss(network: Any, batch: Tensor, generator: torch.Generator) -> Tensor:
            known = batch[:, dim:]
            return self._edm.loss(lambda x, c_noise: network(x, c_noise, known), batch[:, :dim], generator)

        train(denoiser, samples, loss=loss, training=Training(steps=self.steps), seed=seed)
        return denoiser

    def _with_context(self, cells: NDArray[np.float32], categories: Ints | None, picked: Ints) -> NDArray[np.float32]:
        """Some patches and what is known of each, side by side: (len(picked), d + 8 × context + categories)."""
        item, at = np.divmod(picked, cells.shape[1] * cells.shape[2])
        parts = []
        for one in np.unique(item):
            known = self._context(cells[one], None if categories is None else int(categories[one]))
            whole = np.concatenate([cells[one], known], axis=-1)
            parts.append(whole.reshape(-1, whole.shape[-1])[at[item == one]])
        return np.concatenate(parts)

    @torch_threads()
    @torch.inference_mode()
    def _length(
        self, denoiser: MlpDenoiser, cells: NDArray[np.float32], categories: Ints | None
    ) -> NDArray[np.float32]:
        """‖D(x; σ) − x‖ of `cells` (n, h, w, d), as (n, h, w). One item after the other, as in `Whitening.apply`."""
        sigma = torch.tensor([self.sigma])
        length = np.empty(cells.shape[:-1], np.float32)
        of = [None] * len(cells) if categories is None else categories.tolist()
        for item, category, target in zip(cells, of, length, strict=True):
            rows = torch.from_numpy(item.reshape(-1, item.shape[-1]))
            known = torch.from_numpy(self._context(item, category).reshape(len(rows), -1))
            step = self._edm.denoise(partial(denoiser, context=known), rows, sigma) - rows
            target[...] = step.norm(dim=1).numpy().reshape(target.shape)
        return length

    def _context(self, cells: NDArray[np.float32], category: int | None) -> NDArray[np.float32]:
        """What is known of each patch of one item (h, w, d): its surroundings, and the category of the item."""
        known: NDArray[np.float32] = around(cells[None], self.context)[0]
        if category is None:
            return known
        code = np.eye(self._categories, dtype=np.float32)[category]
        spread = np.broadcast_to(code, (*known.shape[:2], len(code)))
        told: NDArray[np.float32] = np.concatenate([known, spread], axis=-1, dtype=np.float32)
        return told

    def _as_scores(self, local: Floats) -> Scores:
        local = local.astype(np.float64)
        return Scores(top_mean(local, self.pool), local)


def around(cells: NDArray[np.float32], context: int) -> NDArray[np.float32]:
    """The first `context` directions of the eight neighbours of each patch of `cells` (n, h, w, d), row by row.

    (n, h, w, 8 × context); where the image ends, its border is repeated.
    """
    lead = cells[..., :context]
    rows, columns = lead.shape[1:3]
    framed = np.pad(lead, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
    shifted = [framed[:, i : i + rows, j : j + columns] for i, j in AROUND]
    return np.concatenate(shifted, axis=-1)


def _of(categories: Ints | None, chosen: NDArray[np.bool_]) -> Ints | None:
    return None if categories is None else categories[chosen]


def _drawn(items: Ints, x: Floats, n: int, rng: np.random.Generator) -> Ints:
    """At most `n` of the patches of the `items` of `x` (n, h, w, c), counted item by item and sorted."""
    each = x.shape[1] * x.shape[2]
    drawn = np.sort(rng.choice(len(items) * each, min(n, len(items) * each), replace=False))
    return np.asarray(items[drawn // each] * each + drawn % each)
