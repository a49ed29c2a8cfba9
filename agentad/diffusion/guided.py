"""Sampling rare rows with classifier-free guidance (Ho and Salimans 2022, https://arxiv.org/abs/2207.12598).

One denoiser learns plenty of normal rows and very few anomalous ones, told apart by a label that is sometimes hidden.
A sample starts at a real row plus noise and is denoised by

    D(x; σ) = D_normal(x; σ) + w (D_anomaly(x; σ) − D_normal(x; σ))

which is guidance with the normal rows, rather than all rows, as the reference to move away from.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from agentad.backbones.threads import torch_threads
from agentad.diffusion.denoisers import NoiseEmbedding, ResidualBlock
from agentad.diffusion.edm import Edm
from agentad.diffusion.train import Training, train

HIDDEN, NORMAL, ANOMALY = 0, 1, 2
"""Labels of the denoiser."""
Floats32 = NDArray[np.float32]
Hold = tuple[NDArray[np.bool_], Floats32]
"""Which columns (d,) are given, and the rows (n, d) that hold their values."""


@dataclass(frozen=True)
class Schedule:
    """How a guided denoiser learns and samples."""

    normal_steps: int = 700
    """Training steps on normal rows alone."""
    mixed_steps: int = 250
    """Training steps on normal and anomalous rows."""
    batch: int = 128
    """Rows a step; in mixed steps a quarter of them anomalous."""
    peak_rate: float = 2e-3
    hide: float = 0.1
    """Chance that a row's label is hidden."""
    ema: float = 0.99
    sigma_high: float = 1.0
    sigma_low: float = 0.03
    levels: int = 8
    """DDIM steps from `sigma_high` to `sigma_low`."""


class LabelledDenoiser(nn.Module):
    """F of `edm.Edm` for vectors with a label: residual blocks that know the noise level and what to make."""

    def __init__(self, dim: int, *, width: int = 128, depth: int = 2) -> None:
        super().__init__()
        self.noise = NoiseEmbedding(width)
        self.label = nn.Embedding(3, width)
        self.enter = nn.Linear(dim, width)
        self.blocks = nn.ModuleList(ResidualBlock(width) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.leave = nn.Linear(width, dim)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)

    def forward(self, x: Tensor, c_noise: Tensor, label: Tensor) -> Tensor:
        """(n, dim), (n or 1,) and (n,) to (n, dim)."""
        condition = nn.functional.silu(self.noise(c_noise) + self.label(label))
        h = self.enter(x)
        for block in self.blocks:
            h = block(h, condition)
        out: Tensor = self.leave(self.norm(h))
        return out


class GuidedDenoiser:
    """A labelled denoiser of rows (n, d) whose columns have about unit variance."""

    def __init__(self, dim: int, *, width: int = 128, schedule: Schedule | None = None, seed: int = 0) -> None:
        self._schedule = schedule or Schedule()
        self._edm = Edm()
        self._seed = seed
        with torch.random.fork_rng(devices=[]):  # layers draw their weights from torch's global generator
            torch.manual_seed(seed)
            self._network = LabelledDenoiser(dim, width=width)

    @torch_threads()
    def learn(self, normal: Floats32) -> None:
        """Fit to normal rows (n, d)."""
        self._train(normal, None, self._schedule.normal_steps)

    @torch_threads()
    def adapt(self, normal: Floats32, anomalous: Floats32) -> None:
        """Go on with normal rows (n, d) and anomalous ones (k, d) together."""
        self._train(normal, torch.from_numpy(anomalous), self._schedule.mixed_steps)

    def _train(self, normal: Floats32, rare: Tensor | None, steps: int) -> None:
        s = self._schedule
        training = Training(steps=steps, batch=s.batch, peak_rate=s.peak_rate, ema=s.ema)
        train(
            self._network,
            torch.from_numpy(normal),
            loss=partial(self._loss, rare),
            training=training,
            seed=self._seed + (rare is not None),
        )

    def _loss(self, rare: Tensor | None, network: nn.Module, rows: Tensor, generator: torch.Generator) -> Tensor:
        """EDM's loss over normal rows, a quarter of which give way to `rare` ones, each told what it is or not."""
        label = torch.full((len(rows),), NORMAL)
        if rare is not None:
            n = len(rows) // 4
            rows = torch.cat([rows[n:], rare[torch.randint(len(rare), (n,), generator=generator)].to(rows.device)])
            label[len(rows) - n :] = ANOMALY
        hidden = torch.rand(len(label), generator=generator) < self._schedule.hide
        label = torch.where(hidden, HIDDEN, label).to(rows.device)
        return self._edm.loss(partial(network, label=label), rows, generator)

    @torch_threads()
    @torch.inference_mode()
    def sample(self, start: Floats32, *, guidance: float, seed: int, hold: Hold | None = None) -> Floats32:
        """Anomalous rows (n, d) from noise around `start` (n, d), by DDIM steps of the probability-flow ODE.

        Columns that `hold` gives are put back, noised to the level at hand, before every step and exactly at the end,
        so that the others are denoised in their presence.
        """
        s = self._schedule
        generator = torch.Generator().manual_seed(seed)
        sigmas = torch.logspace(np.log10(s.sigma_high), np.log10(s.sigma_low), s.levels).tolist()
        noise = torch.randn(start.shape, generator=generator)
        x = torch.from_numpy(start) + sigmas[0] * noise
        for sigma, following in zip(sigmas, [*sigmas[1:], 0.0], strict=True):
            x = _put_back(x, hold, sigma, noise)
            clean = self._denoise(x, sigma, guidance)
            x = clean + following / sigma * (x - clean)
        return np.asarray(_put_back(x, hold, 0.0, noise).numpy(), dtype=np.float32)

    def _denoise(self, x: Tensor, sigma: float, guidance: float) -> Tensor:
        normal, anomalous = self._denoised(x, sigma, NORMAL), self._denoised(x, sigma, ANOMALY)
        return normal + guidance * (anomalous - normal)

    def _denoised(self, x: Tensor, sigma: float, label: int) -> Tensor:
        told = torch.full((len(x),), label)
        return self._edm.denoise(partial(self._network, label=told), x, torch.tensor([sigma]))


def _put_back(x: Tensor, hold: Hold | None, sigma: float, noise: Any) -> Tensor:
    if hold is None:
        return x
    return torch.where(torch.from_numpy(hold[0]), torch.from_numpy(hold[1]) + sigma * noise, x)
