"""The preconditioned denoiser of EDM and its training loss (https://arxiv.org/abs/2206.00364, section 5).

Notation, as in the paper:

    x        clean data, of standard deviation σ_data
    σ        noise level; the noisy sample is x + σ n with n ~ N(0, I)
    F        the network, which sees c_in(σ) (x + σ n) and c_noise(σ) = ln(σ) / 4
    D(x; σ)  the denoiser, c_skip(σ) x + c_out(σ) F(c_in(σ) x; c_noise(σ))
    c_in     1 / √(σ² + σ_data²)
    c_skip   σ_data² / (σ² + σ_data²)
    c_out    σ σ_data / √(σ² + σ_data²)
    λ        loss weight, 1 / c_out², so that F's target has unit variance at every σ
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from diffusers import EDMEulerScheduler
from torch import Tensor

Network = Callable[[Tensor, Tensor], Tensor]
"""F: scaled samples (n, ...) and c_noise (n,) to an output of the samples' shape."""


@dataclass(frozen=True)
class Edm:
    """Preconditioning, noise distribution and loss of one family of denoisers."""

    sigma_data: float = 1.0
    log_sigma_mean: float = -0.4
    """Training noise is log-normal: ln σ ~ N(mean, std²)."""
    log_sigma_std: float = 1.0
    _scheduler: Any = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_scheduler", EDMEulerScheduler(sigma_data=self.sigma_data))  # type: ignore[no-untyped-call]

    def denoise(self, network: Network, x: Tensor, sigma: Tensor) -> Tensor:
        """D(x; σ) for samples `x` (n, ...) and noise levels `sigma` (n,)."""
        wide = sigma.reshape(-1, *[1] * (x.ndim - 1))  # one σ a sample, broadcast over its features
        output = network(self._scheduler.precondition_inputs(x, wide), self._scheduler.precondition_noise(sigma))
        denoised: Tensor = self._scheduler.precondition_outputs(x, output, wide)
        return denoised

    def draw_sigma(self, n: int, generator: torch.Generator) -> Tensor:
        """Noise levels (n,) for training."""
        return (self.log_sigma_mean + self.log_sigma_std * torch.randn(n, generator=generator)).exp()

    def loss(self, network: Network, x: Tensor, generator: torch.Generator) -> Tensor:
        """Mean of λ(σ) ‖D(x + σ n; σ) − x‖² over a batch `x` (n, ...) and its features (equation 8)."""
        sigma = self.draw_sigma(len(x), generator).to(x.device)
        noise = torch.randn(x.shape, generator=generator).to(x.device)
        wide = sigma.reshape(-1, *[1] * (x.ndim - 1))
        weight = (wide**2 + self.sigma_data**2) / (wide * self.sigma_data) ** 2
        return (weight * (self.denoise(network, x + wide * noise, sigma) - x) ** 2).mean()
