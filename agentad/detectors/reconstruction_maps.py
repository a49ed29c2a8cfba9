"""How an image differs from its reconstruction, in units of what normal images differ by."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from torch.nn import functional

from agentad.backbones.encoder import PatchEncoder
from agentad.backbones.packed import pack, unpacked
from agentad.backbones.raw_pixels import to_bytes
from agentad.backbones.saved import load_encoder
from agentad.detectors.base import Floats, Ints

TAIL = 0.995
"""The quantile of held-out local differences that becomes 1."""
_PREFIX = "features/"


def smooth(maps: Floats, share: float) -> NDArray[np.float32]:
    """Maps (n, h, w) blurred by a Gaussian whose standard deviation is this `share` of the height."""
    width = share * maps.shape[1]
    return np.stack([gaussian_filter(one.astype(np.float32), width, mode="nearest") for one in maps])


def upscaled(maps: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """Maps (n, h, w) stretched to (n, *size), bilinear."""
    if maps.shape[1:] == size:
        return maps
    wide = functional.interpolate(torch.from_numpy(maps)[:, None], size=size, mode="bilinear", align_corners=False)
    return np.asarray(wide[:, 0].numpy())


@dataclass(frozen=True)
class Usual:
    """What one kind of difference is for normal images: by place, then 0 at the median and 1 at the `TAIL`.

    A place that always differs (an edge, a reflection) has a high usual difference, and is divided by it. Half of the
    overall mean is added to that, so that a place which hardly ever differs does not rule.
    """

    at: NDArray[np.float32]
    """(h, w) the mean over normal images, smoothed, plus half of its own mean."""
    centre: float
    spread: float

    @classmethod
    def of(cls, maps: NDArray[np.float32], fold: Ints) -> tuple[Self, NDArray[np.float32]]:
        """From held-out maps (n, h, w) of items in folds (n,); and the maps themselves in these units.

        Each fold is divided by what is usual in the others, so that no item is measured against itself.
        """
        divided = np.empty_like(maps)
        for k in np.unique(fold):
            divided[fold == k] = maps[fold == k] / _usual(maps[fold != k])
        centre, tail = np.quantile(divided, (0.5, TAIL))
        usual = cls(_usual(maps), float(centre), max(float(tail - centre), 1e-6))
        return usual, usual._scaled(divided)

    def apply(self, maps: NDArray[np.float32]) -> NDArray[np.float32]:
        """Maps (n, h, w) in these units."""
        return self._scaled(maps / self.at)

    def _scaled(self, divided: NDArray[np.float32]) -> NDArray[np.float32]:
        scaled: NDArray[np.float32] = ((divided - self.centre) / self.spread).astype(np.float32)
        return scaled


def _usual(maps: NDArray[np.float32]) -> NDArray[np.float32]:
    mean = smooth(maps.mean(axis=0)[None], 1 / 32)[0]
    usual: NDArray[np.float32] = mean + max(float(mean.mean()) / 2, 1e-6)
    return usual


class FeatureDifference:
    """Distance between the patch features of an image and of its reconstruction.

    ½‖f − g‖² a patch, averaged over the blocks of the backbone. For features of length 1 that is the cosine distance of
    DDAD (https://arxiv.org/abs/2305.15956, eq. 9). Features in units of their own are divided by their spread first.
    """

    scale: NDArray[np.float32]
    """(c,) what features are divided by."""

    def __init__(self, encoder: PatchEncoder) -> None:
        self.encoder = encoder

    def fit(self, x: Floats) -> Self:
        """Learn the scale from normal images `x` (n, h, w, 3) from 0 to 1."""
        features = self._encode(x[:: max(1, len(x) // 50)])
        length = np.linalg.norm(features, axis=-1)
        if length.std() < 0.01 * length.mean():  # unit vectors: the mean squared length is the number of blocks
            self.scale = np.full(features.shape[-1], float(length.mean()), np.float32)
        else:
            spread = features.reshape(-1, features.shape[-1]).std(axis=0)
            self.scale = np.maximum(spread, 1e-3 * spread.max()) * np.float32(features.shape[-1] ** 0.5)
        return self

    def between(self, x: Floats, restored: Floats) -> NDArray[np.float32]:
        """Images and reconstructions, both (n, h, w, 3) from 0 to 1, to maps (n, rows, columns)."""
        difference = (self._encode(x) - self._encode(restored)) / self.scale
        half: NDArray[np.float32] = 0.5 * (difference**2).sum(axis=-1)
        return half

    def _encode(self, x: Floats) -> NDArray[np.float32]:
        return self.encoder.encode(list(to_bytes(x))).astype(np.float32)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The encoder with its weights, and the scale."""
        with tempfile.TemporaryDirectory() as folder:
            self.encoder.save(Path(folder))
            packed = pack(Path(folder), _PREFIX)
        return {**packed, "feature_scale": self.scale}

    @classmethod
    def restore(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """What `arrays` came from; it needs no weights from anywhere else."""
        with unpacked(arrays, _PREFIX) as folder:
            found = cls(load_encoder(folder))
        found.scale = arrays["feature_scale"]
        return found
