"""Deterministic sampling: DDIM in the notation of EDM."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor

Denoise = Callable[[Tensor, float], Tensor]
"""D: samples (n, ...) and their noise level to samples (n, ...)."""


def ddim(denoise: Denoise, x: Tensor, sigmas: Sequence[float]) -> Tensor:
    """Samples x (n, ...) of noise level `sigmas[0]`, brought down through the others to none.

    A step from σ to σ' keeps the direction of the noise and shrinks it: x' = D + (σ'/σ) (x − D). In variance-exploding
    notation this is DDIM (Song et al. 2021, https://arxiv.org/abs/2010.02502, eq. 14), and Euler's method on the
    probability-flow ODE in σ.
    """
    for sigma, following in zip(sigmas, [*sigmas[1:], 0.0], strict=True):
        clean = denoise(x, sigma)
        x = clean + following / sigma * (x - clean)
    return x
