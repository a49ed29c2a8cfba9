"""Log-likelihood by the probability-flow ODE (Song et al. 2021, https://arxiv.org/abs/2011.13456, appendix D).

With noise of deviation σ added and t = ln σ, the flow that carries the data's density along is

    dx/dt = x − D(x; σ)        d ln p/dt = −(d − tr ∂D/∂x)

so that, integrating from σ_low up to σ_high,

    ln p_low(x) = ln N(x_high; μ, C + σ_high² I) + ∫ (d − tr ∂D/∂x) dt

where μ and C are the data's mean and covariance: at σ_high hardly anything else is left of it, and for Gaussian data
nothing. p_low is the density of the data plus noise of deviation σ_low.

The integral is taken by Heun's method in equal steps of t. The trace is exact (one vector-Jacobian product a column) or
Hutchinson's estimate, the mean of vᵀ (∂D/∂x) v over probes v of random signs.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

Denoise = Callable[[Tensor, Tensor], Tensor]
"""D: samples (n, d) and a noise level (1,) to samples (n, d)."""


@dataclass(frozen=True)
class Flow:
    """How the flow is integrated."""

    sigma_low: float = 0.1
    sigma_high: float = 5.0
    steps: int = 16
    """Heun steps, an even number. Each needs two traces."""


@dataclass(frozen=True)
class Prior:
    """Mean (d,) and covariance (d, d) of the data, for the density at σ_high."""

    mean: Tensor
    covariance: Tensor

    def log_density(self, x: Tensor, sigma: float) -> Tensor:
        """Log of N(x; μ, C + σ² I) at samples x (n, d): (n,)."""
        covariance = self.covariance.double() + sigma**2 * torch.eye(len(self.mean), dtype=torch.float64)
        root = torch.linalg.cholesky(covariance)
        white = torch.linalg.solve_triangular(root, (x.double() - self.mean.double()).T, upper=False)
        volume = root.diagonal().log().sum() + len(self.mean) / 2 * math.log(2 * math.pi)
        density: Tensor = -(white**2).sum(dim=0) / 2 - volume
        return density


def log_likelihood(denoise: Denoise, x: Tensor, *, prior: Prior, flow: Flow, probes: Tensor) -> tuple[Tensor, Tensor]:
    """Log of p_low at samples x (n, d), and the standard error that random probes leave in it, both (n,) float64.

    Args:
        denoise: D, which can be differentiated.
        x: samples.
        prior: the density at `flow.sigma_high`.
        flow: how to integrate.
        probes: (m, d), `exact` ones, whose standard error is 0, or `random_signs` (Hutchinson's estimate).
    """
    times = torch.linspace(math.log(flow.sigma_low), math.log(flow.sigma_high), flow.steps + 1)
    h = float(times[1] - times[0])
    x = x.detach()
    growth = torch.zeros(len(probes), len(x), dtype=torch.float64)
    slope, traces = _slope(denoise, x, times[:1], probes)
    for following in times[1:]:
        ahead, traces_ahead = _slope(denoise, x + h * slope, following[None], probes)
        x = x + h / 2 * (slope + ahead)
        growth += h / 2 * (traces + traces_ahead).double()
        slope, traces = _slope(denoise, x, following[None], probes)
    mean = growth.mean(dim=0)
    variance = ((growth - mean) ** 2).sum(dim=0) / max(len(probes) - 1, 1)
    spread = torch.zeros_like(mean) if _is_exact(probes) else (variance / len(probes)).sqrt()
    return prior.log_density(x, flow.sigma_high) + mean, spread


def log_likelihood_error(denoise: Denoise, x: Tensor, *, prior: Prior, flow: Flow, probes: Tensor) -> Tensor:
    """An estimate (n,) of the error of `log_likelihood`, by half again its work.

    It joins two: that of the steps, a third of the change from half as many (Heun's method is of second order), and
    that of random probes. It does not know how well D was learned, nor how far the data at σ_high are from Gaussian.
    """
    fine, spread = log_likelihood(denoise, x, prior=prior, flow=flow, probes=probes)
    half = replace(flow, steps=flow.steps // 2)
    coarse, _ = log_likelihood(denoise, x, prior=prior, flow=half, probes=probes)
    return ((fine - coarse) ** 2 / 9 + spread**2).sqrt()


def exact(dim: int) -> Tensor:
    """Probes (d, d) that make the trace exact."""
    return math.sqrt(dim) * torch.eye(dim)


def random_signs(n: int, dim: int, generator: torch.Generator) -> Tensor:
    """Hutchinson's probes (n, d)."""
    return torch.randint(2, (n, dim), generator=generator) * 2.0 - 1.0


def _slope(denoise: Denoise, x: Tensor, t: Tensor, probes: Tensor) -> tuple[Tensor, Tensor]:
    """dx/dt (n, d), and each probe's estimate of d − tr ∂D/∂x (m, n)."""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        value = denoise(x, t.exp())
        # rows do not mix, so one product with a vector serves all rows
        pulled = [torch.autograd.grad(value, x, v.expand_as(x), retain_graph=True)[0] @ v for v in probes]
    return (x - value).detach(), x.shape[1] - torch.stack(pulled)


def _is_exact(probes: Tensor) -> bool:
    return len(probes) == probes.shape[1] and bool((probes.count_nonzero(dim=1) == 1).all())
