"""A network that denoises vectors given another vector."""

from __future__ import annotations

from torch import Tensor, nn

from agentad.diffusion.denoisers import NoiseEmbedding, ResidualBlock


class ConditionalDenoiser(nn.Module):
    """F of `edm.Edm` for vectors: residual blocks that know the noise level and a condition.

    Args:
        dim: length of the vectors.
        given: length of the condition.
        width: of the hidden layers.
        depth: residual blocks.
    """

    def __init__(self, dim: int, given: int, *, width: int = 128, depth: int = 2) -> None:
        super().__init__()
        self.noise = NoiseEmbedding(width)
        self.enter = nn.Linear(dim, width)
        self.condition = nn.Sequential(nn.Linear(given, width), nn.SiLU(), nn.Linear(width, width))
        self.blocks = nn.ModuleList(ResidualBlock(width) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.leave = nn.Linear(width, dim)
        # F starts at zero, so that D starts as the best linear shrinkage of white data.
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)

    def forward(self, x: Tensor, c_noise: Tensor, given: Tensor) -> Tensor:
        """(n, dim), (n or 1,) and (n, given) to (n, dim)."""
        told = self.condition(given)
        condition = nn.functional.silu(self.noise(c_noise) + told)
        h = self.enter(x) + told
        for block in self.blocks:
            h = block(h, condition)
        out: Tensor = self.leave(self.norm(h))
        return out
