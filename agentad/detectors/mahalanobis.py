"""Mahalanobis distance of patches to Gaussians of the normal ones: one of all patches, or one at each position.

One at each position, on randomly chosen features, is PaDiM (https://arxiv.org/abs/2011.08785) but for two things:
covariances are shrunk by Ledoit and Wolf's formula instead of by adding a constant, and a distance is the mean over the
fits to all folds but one.

Notation, for a patch x and the fit to all folds but k:

    μ_k, Σ_k   mean and shrunk covariance of the normal patches
    W_k        Σ_k^-1 = W_k W_kᵀ, so that the distance is ‖W_kᵀ (x − μ_k)‖
"""

from __future__ import annotations

from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.covariance import ledoit_wolf

from agentad.detectors.base import Floats, Ints, Scores, State
from agentad.detectors.folds import group_folds
from agentad.detectors.pooling import top_mean
from agentad.errors import InputError

PER = ("image", "position")
FLOOR = 1e-12
"""Least variance of a direction, for data that does not vary at all."""


class Mahalanobis:
    """Score = mean Mahalanobis distance over fits that each learned from all folds but one.

    The fits that make up the detector also judge the training items they have not seen.

    Args:
        per: `image`, one Gaussian for patches anywhere, or `position`, one for each place in the grid, which needs
            aligned objects and, for a good covariance, hundreds of images.
        dimensions: features that are kept with `position`, chosen at random; all are with `image`.
        sample: patches that each fit of `image` learns from at most.
        folds: number of fits.
        pool: an image's score is the mean of this many highest patches.

    Raises:
        InputError: another `per`.
    """

    held_out: Scores

    def __init__(
        self,
        *,
        per: Literal["image", "position"] = "image",
        dimensions: int = 100,
        sample: int = 30_000,
        folds: int = 3,
        pool: int = 4,
    ) -> None:
        if per not in PER:
            raise InputError(f"per {per!r}: give one of {', '.join(PER)}")
        self.per = per
        self.dimensions = dimensions
        self.sample = sample
        self.folds = folds
        self.pool = pool

    def fit(self, x: Floats, *, groups: Ints | None = None, seed: int = 0) -> Self:
        """Learn from patches `x` (n, h, w, c).

        Raises:
            InputError: fewer than two groups, so that no item can be judged by a fit that has not seen it.
        """
        groups = np.arange(len(x)) if groups is None else np.asarray(groups)
        fold = group_folds(groups, self.folds, seed)
        rng = np.random.default_rng(seed)
        channels = x.shape[-1]
        wanted = min(self.dimensions, channels) if self.per == "position" else channels
        self._kept = np.sort(rng.choice(channels, wanted, replace=False))
        fits = [self._learn(x[fold != k], rng) for k in range(fold.max() + 1)]
        self._mean, self._whiten = (np.stack(part) for part in zip(*fits, strict=True))
        local = np.empty(x.shape[:-1])
        for k in range(len(fits)):
            local[fold == k] = self._distance(k, x[fold == k])
        self.held_out = Scores(top_mean(local, self.pool), local)
        return self

    def score(self, x: Floats) -> Scores:
        """Distances of patches `x` (n, h, w, c)."""
        local = np.mean([self._distance(k, x) for k in range(len(self._mean))], axis=0)
        return Scores(top_mean(local, self.pool), local)

    def state(self) -> State:
        """Means, inverse roots of the covariances, and the features kept."""
        arrays: dict[str, NDArray[Any]] = {"mean": self._mean, "whiten": self._whiten, "kept": self._kept}
        names = ("per", "dimensions", "sample", "folds", "pool")
        return State(arrays, {name: getattr(self, name) for name in names})

    @classmethod
    def restore(cls, state: State) -> Self:
        """The detector that `state` came from."""
        detector = cls(**state.settings)
        detector._mean, detector._whiten = state.arrays["mean"], state.arrays["whiten"]
        detector._kept = state.arrays["kept"]
        return detector

    def _learn(self, x: Floats, rng: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Means (p, d) and inverse roots (p, d, d) of one Gaussian, or of one for each of the h w positions."""
        if self.per == "image":
            rows = x.reshape(-1, x.shape[-1])
            picked = np.sort(rng.choice(len(rows), min(self.sample, len(rows)), replace=False))
            places = [rows[picked]]
        else:
            cells = x.reshape(len(x), -1, x.shape[-1])[..., self._kept]
            places = [cells[:, p] for p in range(cells.shape[1])]
        fits = [_gaussian(rows.astype(np.float32)) for rows in places]
        return np.stack([mean for mean, _ in fits]), np.stack([root for _, root in fits])

    def _distance(self, k: int, x: Floats) -> Floats:
        """Distances (n, h, w) by the k-th fit. One item after the other, so that none depends on its company."""
        distance = np.empty(x.shape[:-1])
        for item, target in zip(x, distance, strict=True):
            cells = item.reshape(-1, item.shape[-1])[:, self._kept].astype(np.float32) - self._mean[k]
            if self.per == "image":
                steps = cells @ self._whiten[k, 0]
            else:
                steps = np.einsum("pd,pde->pe", cells, self._whiten[k])
            target[...] = np.linalg.norm(steps, axis=1).reshape(target.shape)
        return distance


def _gaussian(rows: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean (d,) and inverse root (d, d) of the shrunk covariance of rows (n, d)."""
    mean = rows.mean(axis=0)
    centred = rows - mean
    covariance = np.zeros((rows.shape[1], rows.shape[1]))
    if centred.any():
        covariance, _ = ledoit_wolf(centred, assume_centered=True)
    values, vectors = np.linalg.eigh(np.asarray(covariance, np.float64))
    return mean, (vectors / np.sqrt(np.maximum(values, FLOOR))).astype(np.float32)
