"""Networks that denoise vectors."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class NoiseEmbedding(nn.Module):
    """c_noise (n,) to (n, width): fixed Fourier features of the log noise level, then a linear map."""

    frequencies: Tensor

    def __init__(self, width: int, *, n_frequencies: int = 16) -> None:
        super().__init__()
        # ln σ / 4 spans about ±1, so the slowest wave is longer than that range and the fastest resolves a tenth of it.
        self.register_buffer("frequencies", torch.logspace(0, 1.5, n_frequencies, base=10.0), persistent=False)
        self.project = nn.Linear(2 * n_frequencies, width)

    def forward(self, c_noise: Tensor) -> Tensor:
        """(n,) to (n, width)."""
        angle = c_noise[:, None] * self.frequencies  # (n, n_frequencies)
        embedding: Tensor = self.project(torch.cat([angle.sin(), angle.cos()], dim=1))
        return embedding


class ResidualBlock(nn.Module):
    """x + MLP(LayerNorm(x) + condition)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.condition = nn.Linear(width, width)
        self.inner = nn.Linear(width, width)
        self.outer = nn.Linear(width, width)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """(n, width) and (n or 1, width) to (n, width)."""
        out: Tensor = self.outer(nn.functional.silu(self.inner(self.norm(x) + self.condition(condition))))
        return x + out


class MlpDenoiser(nn.Module):
    """F of `edm.Edm` for vectors: residual blocks that know the noise level, and perhaps a context."""

    def __init__(self, dim: int, *, width: int = 320, depth: int = 2, context: int = 0) -> None:
        super().__init__()
        self.noise = NoiseEmbedding(width)
        self.context = nn.Linear(context, width) if context else None
        self.enter = nn.Linear(dim, width)
        self.blocks = nn.ModuleList(ResidualBlock(width) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.leave = nn.Linear(width, dim)
        # F starts at zero, so that D starts as the best linear shrinkage of white data.
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)

    def forward(self, x: Tensor, c_noise: Tensor, context: Tensor | None = None) -> Tensor:
        """(n, dim), (n or 1,) and, where the network was made for one, a context (n, c) to (n, dim)."""
        known = self.noise(c_noise)
        if self.context is not None:
            known = known + self.context(context)
        condition = nn.functional.silu(known)
        h = self.enter(x)
        for block in self.blocks:
            h = block(h, condition)
        out: Tensor = self.leave(self.norm(h))
        return out
