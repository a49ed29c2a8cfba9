"""Conditional feature diffusion for pairs: how far the denoiser moves what an image has and its template has not.

An EDM denoiser (https://arxiv.org/abs/2206.00364) of the difference between a patch and the template's neighbourhood
(`template_distance.difference`), given the template's 3 x 3 patches around it. It learns which differences normal
pairs have where: at edges, on copper, on bare board. At noise level σ the step D(x; σ | template) − x is σ² times the
score of the smoothed conditional density, so its length is large where such a difference is rare beside such a
template. No noise is drawn.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from agentad.backbones.threads import torch_threads
from agentad.detectors.base import Floats, Ints, Scores, State
from agentad.detectors.folds import group_folds
from agentad.detectors.template_distance import Mask, TemplateDistance, both, difference, patches, per_patch
from agentad.detectors.whitening import Whitening
from agentad.diffusion.conditional import ConditionalDenoiser
from agentad.diffusion.edm import Edm
from agentad.diffusion.train import Training, train

LEAST = 1e-3
"""Differences shorter than this are none: such a patch scores 0 and is not shown to the denoiser."""
CHUNK = 8192


class TemplateDiffusion:
    """Score = ‖D(x; σ | template) − x‖, the mean over denoisers that each learned from all folds but one.

    Pairs to learn from may hold defects as long as these are few: known ones are left out, and of the rest the `trim`
    largest differences. A patch without a difference scores 0.

    Args:
        match, neighbourhood, patch, blur, grow, pool: as in `TemplateDistance`.
        components: directions kept of a patch of the template.
        sigma: noise level of the score, in standard deviations of the differences.
        width: width of the denoiser.
        steps: training steps of each denoiser.
        folds: number of denoisers.
        sample: patches to learn from at most.
        trim: share of the patches, those with the largest differences, that are not learned from.
    """

    uses_defects = True

    held_out: Scores
    held_out_normal: Scores | None = None
    """As in `TemplateDistance`."""

    def __init__(
        self,
        *,
        match: str = "range",
        neighbourhood: int = 3,
        patch: int = 2,
        components: int = 32,
        sigma: float = 0.1,
        width: int = 128,
        steps: int = 800,
        folds: int = 2,
        sample: int = 120_000,
        trim: float = 0.02,
        blur: float = 0.5,
        grow: int = 3,
        pool: int = 4,
    ) -> None:
        self._distance = TemplateDistance(
            match=match, neighbourhood=neighbourhood, patch=patch, blur=blur, grow=grow, pool=pool
        )
        self.components = components
        self.sigma = sigma
        self.width = width
        self.steps = steps
        self.folds = folds
        self.sample = sample
        self.trim = trim
        self._edm = Edm()
        self._denoisers: list[ConditionalDenoiser] = []

    def fit(self, x: Floats, *, groups: Ints | None = None, seed: int = 0, defects: Mask | None = None) -> Self:
        """Learn from pairs `x` (n, h, w, 2 c), of which `defects` (n, h, w) marks what is known to be anomalous.

        Raises:
            InputError: not pairs, a grid that patches do not cut evenly, or fewer than two groups.
        """
        self._distance.fit(x)  # checks
        groups = np.arange(len(x)) if groups is None else np.asarray(groups)
        fold = group_folds(groups, self.folds, seed)
        rng = np.random.default_rng(seed)
        apart, beside, owner = self._drawn(x, defects, rng)
        self._template = Whitening.fit(beside[:, 4], components=self.components, power=0.0)
        keep = np.linalg.norm(apart, axis=1)
        kept = keep <= np.quantile(keep, 1 - self.trim)
        self._scale = np.maximum(apart[kept].std(axis=0).mean(), LEAST).reshape(1).astype(np.float32)
        apart, given, owner = apart[kept] / self._scale, self._given(beside[kept]), owner[kept]
        self._denoisers = []
        for k in range(fold.max() + 1):
            own = fold[owner] != k
            self._denoisers.append(self._learn(apart[own], given[own], seed + k))
        lengths = np.stack([self._lengths(pair, [self._denoisers[k]]) for pair, k in zip(x, fold, strict=True)])
        self.held_out, self.held_out_normal = both(self._distance.finished, lengths, defects, self._distance.patch)
        return self

    def score(self, x: Floats) -> Scores:
        """Mean length of the denoising step over the denoisers, for pairs `x` (n, h, w, 2 c)."""
        return self._distance.finished(np.stack([self._lengths(pair, self._denoisers) for pair in x]))

    def _drawn(
        self, x: Floats, defects: Mask | None, rng: np.random.Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], Ints]:
        """Differences (m, d), the template's 3 x 3 patches (m, 9, d), and the pair that each is from.

        Four in five are drawn where the template has structure, because most of a board is plain.
        """
        side, each = self._distance.patch, max(5, self.sample // len(x))
        known = None if defects is None else per_patch(defects, side)
        found = []
        for i, pair in enumerate(x):
            apart, beside = self._read(pair)
            allowed = np.ones(len(apart), bool) if known is None else ~known[i].ravel()
            lively = np.flatnonzero(allowed & (beside.std(axis=1).mean(axis=1) > LEAST))
            picked = [rng.permutation(lively)[: each * 4 // 5], rng.permutation(np.flatnonzero(allowed))[: each // 5]]
            at = np.concatenate(picked)
            found.append((apart[at], beside[at], np.full(len(at), i)))
        apart, beside, owner = (np.concatenate(parts) for parts in zip(*found, strict=True))
        return apart, beside, owner

    def _read(self, pair: Floats) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The differences (h w, d) of a pair's patches and the template's 3 x 3 patches around each, (h w, 9, d)."""
        distance = self._distance
        apart = patches(difference(pair, distance.neighbourhood, distance.match), distance.patch)
        template = patches(np.asarray(pair[..., pair.shape[-1] // 2 :], np.float32), distance.patch)
        height, width, d = template.shape
        padded = np.pad(template, ((1, 1), (1, 1), (0, 0)), mode="edge")
        beside = [padded[y : y + height, z : z + width].reshape(-1, d) for y in range(3) for z in range(3)]
        return apart.reshape(-1, d), np.stack(beside, axis=1)

    def _given(self, beside: NDArray[np.float32]) -> NDArray[np.float32]:
        """The condition (m, 9 k) from the template's patches (m, 9, d)."""
        return self._template.apply(beside).reshape(len(beside), -1)

    def _learn(self, apart: NDArray[np.float32], given: NDArray[np.float32], seed: int) -> ConditionalDenoiser:
        d = apart.shape[1]
        edm = self._edm

        def loss(network: nn.Module, joined: Tensor, generator: torch.Generator) -> Tensor:
            condition = joined[:, d:]
            return edm.loss(lambda x, noise: network(x, noise, condition), joined[:, :d], generator)

        with torch_threads(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            denoiser = ConditionalDenoiser(d, given.shape[1], width=self.width)
            data = torch.from_numpy(np.concatenate([apart, given], axis=1))
            train(denoiser, data, loss=loss, training=Training(steps=self.steps), seed=seed)
        return denoiser

    def _lengths(self, pair: Floats, denoisers: list[ConditionalDenoiser]) -> NDArray[np.float32]:
        """(h / patch, w / patch) for one pair."""
        apart, beside = self._read(pair)
        lengths = np.zeros(len(apart), np.float32)
        telling = np.flatnonzero(np.abs(apart).max(axis=1) > LEAST)
        with torch.inference_mode(), torch_threads():
            for start in range(0, len(telling), CHUNK):
                at = telling[start : start + CHUNK]
                x = torch.from_numpy(apart[at] / self._scale)
                given = torch.from_numpy(self._given(beside[at]))
                sigma = torch.full((len(at),), self.sigma)
                lengths[at] = np.mean([_step(self._edm, d, x, given, sigma) for d in denoisers], axis=0)
        height, width = (n // self._distance.patch for n in pair.shape[:2])
        return lengths.reshape(height, width)

    def state(self) -> State:
        """Scales, the whitening, and the denoisers' weights, each name prefixed by its denoiser's number."""
        arrays: dict[str, NDArray[Any]] = {
            "scale": self._scale,
            "mean": self._template.mean,
            "matrix": self._template.matrix,
        }
        for k, denoiser in enumerate(self._denoisers):
            arrays |= {f"{k}.{name}": tensor.numpy() for name, tensor in denoiser.state_dict().items()}
        return State(arrays, self.settings())

    def settings(self) -> dict[str, Any]:
        """The constructor's parameters."""
        names = ("components", "sigma", "width", "steps", "folds", "sample", "trim")
        return {**self._distance.settings(), **{name: getattr(self, name) for name in names}}

    @classmethod
    def restore(cls, state: State) -> Self:
        """The detector that `state` came from."""
        detector = cls(**state.settings)
        detector._scale = state.arrays["scale"]
        detector._template = Whitening(state.arrays["mean"], state.arrays["matrix"])
        weights = {name: torch.from_numpy(a) for name, a in state.arrays.items() if name[0].isdigit()}
        given = 9 * detector._template.matrix.shape[1]
        for k in range(len({name.partition(".")[0] for name in weights})):
            own = {n.partition(".")[2]: t for n, t in weights.items() if n.partition(".")[0] == str(k)}
            denoiser = ConditionalDenoiser(own["enter.weight"].shape[1], given, width=detector.width)
            denoiser.load_state_dict(own)
            detector._denoisers.append(denoiser.eval())
        return detector


def _step(edm: Edm, denoiser: ConditionalDenoiser, x: Tensor, given: Tensor, sigma: Tensor) -> NDArray[np.float32]:
    moved = edm.denoise(lambda z, noise: denoiser(z, noise, given), x, sigma) - x
    length: NDArray[np.float32] = moved.norm(dim=1).numpy()
    return length
