"""Diffusion of rows of numbers and categories, given those of their values that may be seen.

Numbers are diffused by EDM (Karras et al. 2022, https://arxiv.org/abs/2206.00364), categories by the multinomial kernel
of Hoogeboom et al. 2021 (https://arxiv.org/abs/2102.05379), both at the same σ and by one network, as in TabDDPM
(Kotelnikov et al. 2022, https://arxiv.org/abs/2209.15421). Where TabDDPM adds Hoogeboom's variational bound for the
categories, the loss here is the cross-entropy of x_0 alone, D3PM's auxiliary loss (Austin et al. 2021,
https://arxiv.org/abs/2107.03006, equation 5): what is wanted is p(x_0 | what is seen), and the bound hardly tells small
probabilities apart.

Missing values are left out of the network's input and of the loss, as MissDiff does (Ouyang et al. 2023,
https://arxiv.org/abs/2307.00467, equation 4).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from agentad.detectors.mixed_rows import MixedRows
from agentad.diffusion.denoisers import MlpDenoiser
from agentad.diffusion.edm import Edm
from agentad.diffusion.multinomial import draw, gumbel_noise, keep, noised, reverse

SIGMAS = (5.0, 1.5, 0.5, 0.15)
"""Noise levels of the denoising steps, in standard deviations of a number."""
_HIDE = (0.1, 0.6)
"""Share of the source columns that is hidden from the network while it learns, drawn uniformly for each row."""
_FIRST = 0.5
"""Share of the rows at the first of `SIGMAS` while the network learns, where there are categories."""
_NEVER = -1e9
"""Logit of a place that is no level."""


@dataclass(frozen=True)
class Row:
    """n scaled rows, their a numbers and c categories, each of which has places for k levels."""

    numbers: Tensor
    """(n, a), 0 where missing."""
    levels: Tensor
    """(n, c, k) one-hot, all 0 where missing."""
    there: Tensor
    """(n, a + c) which are not missing."""


class MixedDiffusion:
    """The loss of a `VisibleDenoiser` of rows apart (n, a + l), and how one fills them in."""

    def __init__(self, rows: MixedRows) -> None:
        self._edm = Edm()
        self._numbers = len(rows.numbers)
        self._source, self._category = torch.from_numpy(rows.source), torch.from_numpy(rows.category)
        sizes = torch.from_numpy(rows.sizes)
        self._real = torch.arange(int(rows.sizes.max(initial=1))) < sizes[:, None]  # (c, k) places that are levels
        self.base = self._real / sizes[:, None]
        """(c, k) the uniform distribution over the levels of each category."""

    def loss(self, network: nn.Module, u: Tensor, generator: torch.Generator) -> Tensor:
        """Of what is hidden and not missing: EDM's loss of numbers, the cross-entropy of categories in nats."""
        row = self.row(u)
        n, a = row.numbers.shape
        low, high = _HIDE
        share = low + (high - low) * torch.rand(n, 1, generator=generator)
        sources = torch.rand(n, int(self._source.max()) + 1, generator=generator) < share
        hidden = sources[:, self._source].to(u.device)
        sigma = self._edm.draw_sigma(n, generator)[:, None].to(u.device)
        if len(self.base):  # what is told of categories is told at the first level, which is rare among those drawn
            at_first = torch.rand(n, 1, generator=generator).to(u.device) < _FIRST
            sigma = torch.where(at_first, SIGMAS[0], sigma)
        noise = torch.randn(row.numbers.shape, generator=generator).to(u.device)
        # a missing number looks like any other, so that a flag that is hidden with it cannot be told by it
        noisy = row.numbers + torch.where(row.there[:, :a], sigma, (1 + sigma**2).sqrt()) * noise
        gumbel = gumbel_noise(row.levels.shape, generator).to(u.device)
        states = draw(noised(row.levels, keep(sigma)[:, :, None], self.base.to(u.device)), gumbel)
        clean, told = self._denoise(network, noisy, states, sigma[:, 0], row, row.there & ~hidden)
        weight = (sigma**2 + 1) / sigma**2
        losses = torch.cat([weight * (clean - row.numbers) ** 2, -(row.levels * told).sum(dim=2)], dim=1)
        counted = row.there & hidden
        return (losses * counted).sum() / counted.sum().clamp(min=1)

    def fill(
        self, network: nn.Module, row: Row, hidden: Tensor, noise: Tensor, gumbel: Tensor
    ) -> tuple[Tensor, Tensor]:
        """One draw of the numbers (n, a), and probabilities of the levels (n, c, k), given what is not `hidden`.

        Numbers and categories are drawn together, in steps of DDIM and of the multinomial posterior. The probabilities
        are those told in the first step, by which nothing is known of the category yet: what the mean of endlessly many
        draws would be, without their chance.

        Args:
            network: what tells clean values.
            row: n rows.
            hidden: (a + c,) which values are filled in.
            noise: (a,) standard normal, and
            gumbel: (steps, c, k) `gumbel_noise`, the same for all rows.
        """
        visible = row.there & ~hidden
        x, states = SIGMAS[0] * noise.expand_as(row.numbers), draw(self.base.expand_as(row.levels), gumbel[0])
        chances: list[Tensor] = []
        for following, (high, low) in zip([*gumbel[1:], None], pairwise((*SIGMAS, 0.0)), strict=True):
            sigma = torch.tensor([high])
            clean, told = self._denoise(network, x, states, sigma, row, visible)
            x = clean + low / high * (x - clean)  # as `diffusion.sampling.ddim`
            chances.append(told.exp())
            if following is not None:
                before = reverse(states, chances[-1], keep(sigma), keep(torch.tensor([low])), self.base)
                states = draw(before, following)
        return x, chances[0]

    def row(self, u: Tensor) -> Row:
        """Scaled rows apart (n, a + l), NaN or no level where missing."""
        numbers = u[:, : self._numbers]
        levels = u.new_zeros(len(u), *self._real.shape)
        levels[:, self._real] = u[:, self._numbers :]
        there = torch.cat([torch.isfinite(numbers), levels.any(dim=2)], dim=1)
        return Row(numbers.nan_to_num(0), levels, there)

    def apart(self, numbers: Tensor, levels: Tensor) -> Tensor:
        """Rows apart (n, a + l) of numbers (n, a) and levels (n, c, k)."""
        return torch.cat([numbers, levels[:, self._real]], dim=1)

    def _denoise(
        self, network: nn.Module, x: Tensor, states: Tensor, sigma: Tensor, row: Row, visible: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Numbers (n, a) without noise, and log-probabilities of the levels (n, c, k)."""
        a = self._numbers
        known = self.apart(row.numbers, row.levels)
        seen = torch.cat([visible[:, :a], visible[:, a:][:, self._category]], dim=1)
        logits = torch.full_like(states, _NEVER)

        def of_numbers(scaled: Tensor, c_noise: Tensor) -> Tensor:
            out: Tensor = network(self.apart(scaled, states), c_noise, known, seen)
            logits[:, self._real] = out[:, a:]
            return out[:, :a]

        return self._edm.denoise(of_numbers, x, sigma), logits.log_softmax(dim=2)


class VisibleDenoiser(nn.Module):
    """F of `edm.Edm` for rows of which some columns are visible: noise in the others, and which those are."""

    def __init__(self, dim: int, *, width: int) -> None:
        super().__init__()
        self.inner = MlpDenoiser(3 * dim, width=width)

    def forward(self, x: Tensor, c_noise: Tensor, known: Tensor, visible: Tensor) -> Tensor:
        """Noisy (n, dim), (n or 1,), clean (n, dim) and where it may be seen (n, dim) to (n, dim)."""
        seen = visible.float()
        out: Tensor = self.inner(torch.cat([x * (1 - seen), known * seen, seen], dim=1), c_noise)
        return out[:, : x.shape[1]]
