"""Multinomial diffusion: categories that are forgotten level by level instead of blurred.

Notation of Hoogeboom et al. 2021 (https://arxiv.org/abs/2102.05379, section 4), for levels as one-hot vectors (…, K):

    x_0, x_t   the level, and what is left of it at time t
    α, ᾱ       chance that a step, and that all steps up to a time, left the level alone; `keep` below
    π          1 / K, the distribution that a level is drawn anew from otherwise; `base` below
    q(x_t | x_s)  = C(x_t | α x_s + (1 − α) π)       α = ᾱ_t / ᾱ_s for s before t
    q(x_t | x_0)  = C(x_t | ᾱ_t x_0 + (1 − ᾱ_t) π)   (equation 12)

A Gaussian chain at noise level σ keeps the share 1 / (1 + σ²) of the variance; categories diffused beside numbers keep
that share of their levels, as where both follow one schedule (Kotelnikov et al. 2022,
https://arxiv.org/abs/2209.15421).

Categories of different size share a tensor: those with fewer levels end in places where x_0 and π are 0.
"""

from __future__ import annotations

import torch
from torch import Tensor


def keep(sigma: Tensor) -> Tensor:
    """ᾱ at the noise levels (…) of a Gaussian chain with data of unit variance."""
    return 1 / (1 + sigma**2)


def noised(x0: Tensor, kept: Tensor, base: Tensor) -> Tensor:
    """Probabilities of q(x_t | x_0) for levels x0 (…, K), ᾱ_t that broadcasts to them, and base (…, K).

    Nothing known of x_0, all zeros, gives multiples of `base`.
    """
    return kept * x0 + (1 - kept) * base


def reverse(xt: Tensor, told: Tensor, kept: Tensor, kept_before: Tensor, base: Tensor) -> Tensor:
    """Probabilities (…, K) of an earlier x_s, given x_t and what is told of x_0.

    Σ over levels x_0 of q(x_s | x_t, x_0) p(x_0): the posterior (equation 13) where `told` is one-hot. A network's
    p(x_0 | x_t) is summed over as in Austin et al. 2021 (https://arxiv.org/abs/2107.03006, equation 4), which is exact
    for steps of any length; Hoogeboom et al. put the probabilities in the place of x_0 instead.

    Args:
        xt: one-hot levels (…, K).
        told: probabilities of x_0 (…, K).
        kept: ᾱ_t, below 1.
        kept_before: ᾱ_s.
        base: π (…, K).
    """
    redrawn = (base * xt).sum(dim=-1, keepdim=True)  # the chance to be redrawn as x_t
    weight = told / (kept * xt + (1 - kept) * redrawn)  # p(x_0) / q(x_t | x_0)
    step = kept / kept_before
    from_here = step * xt + (1 - step) * redrawn  # q(x_t | x_s), a function of x_s
    return from_here * (kept_before * weight + (1 - kept_before) * base * weight.sum(dim=-1, keepdim=True))


def draw(probabilities: Tensor, gumbel: Tensor) -> Tensor:
    """One-hot levels (…, K) of these probabilities, or multiples of them, told by `gumbel_noise` (…, K)."""
    place = (probabilities.log() + gumbel).argmax(dim=-1)
    return torch.nn.functional.one_hot(place, probabilities.shape[-1]).to(probabilities.dtype)


def gumbel_noise(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Standard Gumbel numbers."""
    return -torch.empty(shape).exponential_(generator=generator).log()
