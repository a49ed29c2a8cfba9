"""The exact denoiser of patches drawn from a few images: nothing is trained.

Notation:

    x          an image that is known outside a mask; z = x + σ n with n ~ N(0, I) inside it, x itself outside
    P(z, q)    the patch of z around pixel q
    p_i, c_i   the reference patches, and their middle pixels
    D(z)_q     Σ w_i c_i with w_i ∝ exp(−‖P(z, q) − p_i‖² / 2σ²), the posterior mean of pixel q when its patch is one of
               the references plus noise of standard deviation σ

This is the ideal denoiser under two constraints, locality and equivariance, which is called an equivariant local score
machine in https://arxiv.org/abs/2412.20292. Theirs shrinks patches as σ falls; here patches keep their size in pixels
and the image grows: sampling goes from a reduced image to the full one (`paint`). Also unlike theirs, what surrounds
the mask is known, and enters the patches without noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from agentad.diffusion.crops import scaled

Floats32 = NDArray[np.float32]
Bools = NDArray[np.bool_]
_AT_ONCE = 1024
"""Queries whose distances to all references are held together."""


@dataclass(frozen=True)
class References:
    """Patches to denoise with."""

    patches: Floats32
    """(k, p · p · c)"""
    middles: Floats32
    """(k, c)"""

    @classmethod
    def of(cls, images: Sequence[Floats32], masks: Sequence[Bools], size: int, most: int, seed: int) -> References:
        """Patches of odd side `size` around the pixels in `masks` (h, w) of `images` (h, w, c), at most `most`."""
        patches = np.concatenate([patches_at(i, np.argwhere(m), size) for i, m in zip(images, masks, strict=True)])
        middles = np.concatenate([image[mask] for image, mask in zip(images, masks, strict=True)])
        if len(patches) > most:
            chosen = np.sort(np.random.default_rng(seed).choice(len(patches), most, replace=False))
            patches, middles = patches[chosen], middles[chosen]
        return cls(patches, middles)

    def denoise(self, patches: Floats32, sigma: float) -> Floats32:
        """D of the middles (n, c) of noisy `patches` (n, p · p · c)."""
        found = np.empty((len(patches), self.middles.shape[1]), dtype=np.float32)
        own = (self.patches**2).sum(axis=1)
        for k in range(0, len(patches), _AT_ONCE):
            part = patches[k : k + _AT_ONCE]
            # ‖a − b‖² without ‖a‖², which all references share
            logit = (2 * part @ self.patches.T - own) / (2 * sigma**2)
            weight = np.exp(logit - logit.max(axis=1, keepdims=True))
            found[k : k + _AT_ONCE] = weight @ self.middles / weight.sum(axis=1, keepdims=True)
        return found


def patches_at(image: Floats32, places: NDArray[np.integer], size: int) -> Floats32:
    """(n, size · size · c) patches of an `image` (h, w, c) around `places` (n, 2); the border is mirrored."""
    reach = size // 2
    padded = np.pad(image, ((reach, reach), (reach, reach), (0, 0)), mode="symmetric")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (size, size), axis=(0, 1))
    return np.ascontiguousarray(windows[places[:, 0], places[:, 1]].reshape(len(places), -1), dtype=np.float32)


def noise_levels(highest: float, lowest: float, steps: int) -> list[float]:
    """Falling geometrically."""
    levels: list[float] = np.geomspace(highest, lowest, steps).tolist()
    return levels


def sample(
    image: Floats32,
    mask: Bools,
    references: References,
    sigmas: Sequence[float],
    size: int,
    rng: np.random.Generator,
) -> Floats32:
    """`image` (h, w, c) with its masked pixels noised to the first of `sigmas` and brought down by DDIM steps."""
    places = np.argwhere(mask)
    x = image.copy()
    x[mask] += sigmas[0] * rng.standard_normal((len(places), image.shape[2]), dtype=np.float32)
    for sigma, following in zip(sigmas, [*sigmas[1:], 0.0], strict=True):
        clean = references.denoise(patches_at(x, places, size), sigma)
        x[mask] = clean + following / sigma * (x[mask] - clean)
    return x


def paint(
    image: Floats32,
    mask: Bools,
    sources: Sequence[tuple[Floats32, Bools]],
    *,
    highest: float,
    lowest: float = 0.02,
    steps: int = 6,
    size: int = 7,
    scales: Sequence[int] = (4, 2, 1),
    most: int = 4000,
    seed: Sequence[int] = (0,),
) -> Floats32:
    """Paint the mask of an image from the patches of others, the coarse first.

    Args:
        image: (h, w, c) from 0 to 1; what is in the mask is the start image.
        mask: (h, w)
        sources: images (h', w', c) and where (h', w') the middles of reference patches lie.
        highest: σ at the coarsest scale; at each finer one it begins at half of the one before.
        lowest: last σ of each scale.
        steps: of each scale.
        size: odd side of a patch, in pixels of each scale.
        scales: by how much the image is reduced, falling; those at which nothing of the mask is left are left out.
        most: reference patches at most.
        seed: of the noise.

    Returns:
        (h, w, c), the same as `image` outside the mask.
    """
    rng = np.random.default_rng(list(seed))
    x, sigma = image, highest
    for scale in scales:
        small, inside = reduced(x, scale), reduced_mask(mask, scale)
        if inside.any() and not inside.all() and sigma > lowest:
            views = [(reduced(i, scale), reduced_mask(m, scale)) for i, m in sources]
            views = [(i, m) for i, m in views if m.any()]
            if views:
                references = References.of([i for i, _ in views], [m for _, m in views], size, most, int(seed[0]))
                levels = noise_levels(sigma, lowest, steps)
                painted = sample(small, inside, references, levels, size, rng)
                change = painted if scale == 1 else x + scaled(painted - small, *x.shape[:2])
                x = np.where(mask[..., None], change, image).astype(np.float32)
        sigma /= 2
    return np.where(mask[..., None], np.clip(x, 0, 1), image).astype(np.float32)


def reduced(image: Floats32, scale: int) -> Floats32:
    """`image` (h, w, c) a `scale`-th as large."""
    height, width = image.shape[:2]
    return scaled(image, max(1, height // scale), max(1, width // scale))


def reduced_mask(mask: Bools, scale: int) -> Bools:
    """`mask` (h, w) a `scale`-th as large: True where half of a pixel is."""
    if scale == 1:
        return mask
    height, width = mask.shape
    small = scaled(mask[..., None], max(1, height // scale), max(1, width // scale))[..., 0] > 0.5
    return np.asarray(small)


def grown(mask: Bools, pixels: int) -> Bools:
    """`mask` and what is at most `pixels` steps from it."""
    return np.asarray(ndimage.binary_dilation(mask, iterations=pixels)) if pixels else mask
