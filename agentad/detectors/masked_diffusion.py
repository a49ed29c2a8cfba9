"""Imputation by masked-feature diffusion: can the row's other columns tell this one?

Some columns of a row are hidden. A diffusion model conditioned on the others fills them in: it starts from noise and
denoises in a few DDIM steps, while the visible columns stay as they are. Where a value is far from what is filled in,
for how well such values can be told at all, it is odd:

    e_j = (x_j − mean of the draws)² / (mean of the same over held-out rows)
    score = mean over columns of min(e_j, CAP)

Every column is hidden once, in `blocks` parts of the columns chosen at random when fitting; columns that are nearly
copies of each other are thus mostly told by each other.

Missing values: the network sees, column by column, whether a value is there (hidden ones are not), and the loss leaves
out those that are missing, as MissDiff does (Ouyang et al. 2023, https://arxiv.org/abs/2307.00467, eq. 4). So does the
score. NaN marks a missing value; a table encoder fills them in and flags them in a column of its own, which is then one
column among others.

Categories are Gaussian: a detector is given numbers, and one-hot columns are denoised as numbers. It is not multinomial
diffusion.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from agentad.detectors.base import Floats, Ints, Scores
from agentad.detectors.learned_rows import LearnedRows
from agentad.detectors.robust import as_float32
from agentad.diffusion.denoisers import MlpDenoiser
from agentad.diffusion.sampling import ddim

SIGMAS = (5.0, 1.5, 0.5, 0.15)
"""Noise levels of the DDIM steps, in standard deviations of a column."""
CAP = 100.0
"""Most that one column counts: ten times the usual error."""
_FLOOR = 1e-2
"""Least usual squared error of a column, in units of its variance."""
_HIDE = (0.1, 0.6)
"""Share of the columns that is hidden from the network while it learns, drawn uniformly for each row."""


class MaskedDiffusion(LearnedRows):
    """Mean over columns of the squared imputation error, in units of the usual one. Encoded rows are (n, d), unscaled.

    Args:
        blocks: parts of the columns that are hidden together, at most one a column.
        draws: noise vectors to start from, in pairs of opposite sign.
        width: width of the denoisers.
        steps: training steps of each, at most; it stops earlier where its validation loss no longer falls.
        folds: number of denoisers; each learns from all folds but one, and judges that one.
        seconds: CPU seconds of training in all, at most; 0 for no limit. What it ends depends on the machine.
    """

    def __init__(
        self,
        *,
        blocks: int = 5,
        draws: int = 4,
        width: int = 128,
        steps: int = 800,
        folds: int = 2,
        seconds: float = 0.0,
    ) -> None:
        super().__init__(width=width, steps=steps, folds=folds, seconds=seconds)
        self.blocks = blocks
        self.draws = draws

    def fit(self, x: Floats, *, groups: Ints | None = None, seed: int = 0) -> Self:
        """Learn to fill in columns of the rows x (n, d), NaN where missing, and how well that goes on unseen rows.

        Raises:
            InputError: fewer than two groups.
        """
        dim = x.shape[1]
        generator = torch.Generator().manual_seed(seed)
        self._block = torch.randperm(dim, generator=generator) % min(self.blocks, dim)
        half = torch.randn(self.draws // 2, dim, generator=generator)
        self._noise = torch.cat([half, -half])
        fold = self._learn(x, groups, seed)
        squares, filled = self._rows.held_out(x, fold, self._squares)
        there = np.isfinite(x)
        self._usual: Floats = np.maximum((squares * there).sum(axis=0) / np.maximum(there.sum(axis=0), 1), _FLOOR)
        self.held_out = self._judge(x, squares, filled)
        return self

    def score(self, x: Floats) -> Scores:
        """Scores of rows (m, d), NaN where missing, each column's contribution, and the row filled in."""
        squares, filled = self._rows.mean(x, self._squares)
        return self._judge(x, squares, filled)

    def _judge(self, x: Floats, squares: Floats, filled: Floats) -> Scores:
        there = np.isfinite(x)
        parts = np.where(there, np.minimum(squares / self._usual, CAP), 0.0)
        parts /= np.maximum(there.sum(axis=1, keepdims=True), 1)
        return Scores(parts.sum(axis=1), as_float32(parts), self._rows.scaling.undo(filled))

    def _build(self, dim: int) -> nn.Module:
        return VisibleDenoiser(dim, width=self.width)

    def _loss(self, network: nn.Module, u: Tensor, generator: torch.Generator) -> Tensor:
        """EDM's loss over what is hidden and not missing."""
        there = torch.isfinite(u)
        u = torch.where(there, u, 0.0)
        low, high = _HIDE
        share = low + (high - low) * torch.rand(len(u), 1, generator=generator)
        hidden = torch.rand(u.shape, generator=generator) < share
        sigma = self._edm.draw_sigma(len(u), generator)[:, None]
        noisy = u + sigma * torch.randn(u.shape, generator=generator)
        filled = self._denoise(network, noisy, sigma[:, 0], u, there & ~hidden)
        weight = (sigma**2 + 1) / sigma**2
        counted = there & hidden
        return (weight * (filled - u) ** 2 * counted).sum() / counted.sum().clamp(min=1)

    def _denoise(self, network: nn.Module, x: Tensor, sigma: Tensor, known: Tensor, visible: Tensor) -> Tensor:
        return self._edm.denoise(lambda scaled, c: network(scaled, c, known, visible), x, sigma)

    @torch.inference_mode()
    def _squares(self, network: nn.Module, u: Tensor) -> tuple[Tensor, ...]:
        """Squared error of each column (m, d) when it is filled in, and what it is filled with (m, d)."""
        there = torch.isfinite(u)
        u = torch.where(there, u, 0.0)
        filled = torch.zeros_like(u)
        for block in range(int(self._block.max()) + 1):
            hidden = self._block == block

            def denoise(x: Tensor, sigma: float, visible: Tensor = there & ~hidden) -> Tensor:
                return self._denoise(network, x, torch.tensor([sigma]), u, visible)

            for noise in self._noise:
                end = ddim(denoise, SIGMAS[0] * noise.expand_as(u), SIGMAS)
                filled += end * hidden / len(self._noise)
        return (filled - u) ** 2, filled

    def _kept(self) -> dict[str, NDArray[Any]]:
        return {"block": self._block.numpy(), "noise": self._noise.numpy(), "usual": self._usual}

    def _recall(self, arrays: dict[str, NDArray[Any]]) -> None:
        self._block, self._noise = (torch.from_numpy(arrays[name].copy()) for name in ("block", "noise"))
        self._usual = arrays["usual"]


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
