"""Log-likelihood by the probability-flow ODE (Song et al. 2021, https://arxiv.org/abs/2011.13456, appendix D).

With noise of deviation σ added and t = ln σ, the flow that carries the data's density along is

    dx/dt = x − D(x; σ)        d ln p/dt = −(d − tr ∂D/∂x)

so that, integrating from σ_low up to σ_high,

    ln p_low(x) = ln N(x_high; μ, C + σ_high² I) + ∫ (d − tr ∂D/∂x) dt

where μ and C are the data's mean and covariance: at σ_high hardly anything else is left of it, and for Gaussian data
nothing. p_low is the density of the data plus noise of deviation σ_low.

The integral is taken by Heun's method in equal steps of t. The trace is exact (one Jacobian-vector product a column) or
Hutchinson's estimate, the mean of vᵀ (∂D/∂x) v over probes v of random signs.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.func import jvp, vmap

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
        """ln N(x; μ, C + σ² I) of samples x (n, d): (n,)."""
        covariance = self.covariance.double() + sigma**2 * torch.eye(len(self.mean), dtype=torch.float64)
        normal = torch.distributions.MultivariateNormal(self.mean.double(), covariance_matrix=covariance)
        density: Tensor = normal.log_prob(x.double())
        return density


def log_likelihood(denoise: Denoise, x: Tensor, *, prior: Prior, flow: Flow, probes: Tensor) -> tuple[Tensor, Tensor]:
    """ln p_low of samples x (n, d) and the standard error that random probes leave in it, both (n,) float64.

    Args:
        denoise: D, which can be differentiated forward.
        x: samples.
        prior: the density at `flow.sigma_high`.
        flow: how to integrate.
        probes: (m, d), `exact` ones, whose standard error is 0, or `random_signs` (Hutchinson's estimate).
    """
    times = torch.linspace(math.log(flow.sigma_low), math.log(flow.sigma_high), flow.steps + 1)
    h = float(times[1] - times[0])
    growth = torch.zeros(len(probes), len(x), dtype=torch.float64)
    slope, traces = _slope(denoise, x, times[:1], probes)
    for following in times[1:]:
        ahead, traces_ahead = _slope(denoise, x + h * slope, following[None], probes)
        x = x + h / 2 * (slope + ahead)
        growth += h / 2 * (traces + traces_ahead).double()
        slope, traces = _slope(denoise, x, following[None], probes)
    spread = growth.std(dim=0, correction=min(1, len(probes) - 1)) / math.sqrt(len(probes))
    if _is_exact(probes):
        spread = torch.zeros_like(spread)
    return prior.log_density(x, flow.sigma_high) + growth.mean(dim=0), spread


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
    sigma = t.exp()

    def along(v: Tensor) -> tuple[Tensor, Tensor]:
        """D, and vᵀ (∂D/∂x) v of each sample."""
        value, change = jvp(lambda rows: denoise(rows, sigma), (x,), (v.expand_as(x),))
        return value, change @ v

    values, traces = vmap(along, out_dims=(None, 0))(probes)
    return x - values, x.shape[1] - traces


def _is_exact(probes: Tensor) -> bool:
    return len(probes) == probes.shape[1] and bool((probes.count_nonzero(dim=1) == 1).all())
