"""Imputation by masked-feature diffusion: can the row's other columns tell this one?

Some source columns of a row are hidden. A diffusion model conditioned on the others fills them in: it starts from noise
and denoises in a few steps, while the visible columns stay as they are (`agentad.detectors.mixed_diffusion`). Where a
value is far from what is filled in, for how well such values can be told at all, it is odd:

    e_j = (x_j − mean of the draws)²           of a number, in squared standard deviations
    e_j = −ln p(x_j | what is seen)            of a category, in nats; p is the mean over the draws
    score = mean over values j of min(e_j / mean of e_j over held-out rows, CAP)

Every column is hidden once, in `blocks` parts of the source columns chosen at random when fitting; columns that are
nearly copies of each other are thus mostly told by each other. All that is encoded of a source column is hidden
together: the levels of a category, the parts of a date, the flag of what is missing.

The table encoder's layout says which columns are levels of one category, and which were missing. Without it all columns
are numbers, NaN where missing. A missing value is left out of the network's input, of the loss and of the score, so it
does not matter what an encoder filled in; that it is missing is a category of its own, told by the other columns. Where
training had almost no missing cells in a column it has no flag: such a cell of a number, date, text or yes-or-no column
counts with the value that was filled in, and the encoder's count of them is one number among others.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from agentad.detectors.base import Floats, Ints, Scores
from agentad.detectors.learned_rows import LearnedRows
from agentad.detectors.mixed_diffusion import SIGMAS, MixedDiffusion, VisibleDenoiser
from agentad.detectors.mixed_rows import MixedRows
from agentad.detectors.robust import Scaling, as_float32
from agentad.detectors.row_networks import column_scaling
from agentad.detectors.source_blocks import blocks_apart
from agentad.diffusion.multinomial import gumbel_noise
from agentad.modalities.table.layout import Layout

CAP = 100.0
"""Most that one value counts: a hundred times the usual error."""
_FLOOR = 1e-2
"""Least usual squared error of a number, in units of its variance."""
_FLOOR_NATS = 0.1
"""Least usual surprise of a category."""
_LEAST = 1e-6
"""Least probability of a level."""


class MaskedDiffusion(LearnedRows):
    """Mean over values of the imputation error, in units of the usual one. Encoded rows are (n, d), unscaled.

    Args:
        blocks: parts of the source columns that are hidden together, at most one a column.
        draws: noise vectors to start from, in pairs of opposite sign.
        width: width of the denoisers.
        steps: training steps of each, at most; it stops earlier where its validation loss no longer falls.
        folds: number of denoisers; each learns from all folds but one, and judges that one.
        seconds: CPU seconds of training in all, at most; 0 for no limit. What it ends depends on the machine.
    """

    uses_layout = True

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

    def fit(self, x: Floats, *, groups: Ints | None = None, seed: int = 0, layout: Layout | None = None) -> Self:
        """Learn to fill in columns of the rows x (n, d), and how well that goes on unseen rows.

        Raises:
            InputError: fewer than two groups.
        """
        self._take(MixedRows.of(layout, x.shape[1]))
        rows, numbers = self._mixed.apart(x), len(self._mixed.numbers)
        generator = torch.Generator().manual_seed(seed)
        order = torch.randperm(len(np.unique(self._mixed.source)), generator=generator)
        scaling = self._scaling(rows)
        block = self._apart(scaling.apply(rows), order) if len(self._mixed.sizes) else order % self.blocks
        self._block = block[self._mixed.source]
        half = torch.randn(self.draws // 2, numbers, generator=generator)
        self._noise = torch.cat([half, -half])
        self._gumbel = gumbel_noise((self.draws, len(SIGMAS), *self._diffusion.base.shape), generator)
        fold = self._learn(rows, groups, seed, scaling)
        errors, filled = self._rows.held_out(rows, fold, self._errors)
        there = self._mixed.there(rows)
        usual = (errors * there).sum(axis=0) / np.maximum(there.sum(axis=0), 1)
        self._usual: Floats = np.maximum(usual, np.where(np.arange(len(usual)) < numbers, _FLOOR, _FLOOR_NATS))
        self.held_out = self._judge(rows, errors, filled)
        return self

    def score(self, x: Floats) -> Scores:
        """Scores of rows (m, d), each column's contribution, and the row filled in, categories by probabilities."""
        rows = self._mixed.apart(x)
        return self._judge(rows, *self._rows.mean(rows, self._errors))

    def _judge(self, rows: Floats, errors: Floats, filled: Floats) -> Scores:
        there = self._mixed.there(rows)
        parts = np.where(there, np.minimum(errors / self._usual, CAP), 0.0)
        parts /= np.maximum(there.sum(axis=1, keepdims=True), 1)
        local = as_float32(self._mixed.by_column(parts, rows))
        return Scores(parts.sum(axis=1), local, self._mixed.together(self._rows.scaling.undo(filled)))

    def _apart(self, u: Floats, order: Tensor) -> Tensor:
        """Blocks (s,) of source columns that have little to do with each other."""
        source = self._mixed.source
        each = np.concatenate(
            [source[: len(self._mixed.numbers)], source[len(self._mixed.numbers) :][self._mixed.category]]
        )
        return torch.from_numpy(blocks_apart(u, each, order.numpy(), min(self.blocks, len(order))))

    def _take(self, mixed: MixedRows) -> None:
        self._mixed, self._diffusion = mixed, MixedDiffusion(mixed)

    def _scaling(self, rows: Floats) -> Scaling:
        """Levels stay 0 and 1."""
        found, number = column_scaling(rows), np.arange(rows.shape[1]) < len(self._mixed.numbers)
        return Scaling(np.where(number, found.centre, 0.0), np.where(number, found.scale, 1.0))

    def _build(self, dim: int) -> nn.Module:
        return VisibleDenoiser(dim, width=self.width)

    def _loss(self, network: nn.Module, u: Tensor, generator: torch.Generator) -> Tensor:
        return self._diffusion.loss(network, u, generator)

    @torch.inference_mode()
    def _errors(self, network: nn.Module, u: Tensor) -> tuple[Tensor, ...]:
        """Errors of the values (m, a + c) when they are filled in, and what they are filled with (m, a + l)."""
        row, a = self._diffusion.row(u), len(self._mixed.numbers)
        numbers, chances = torch.zeros_like(row.numbers), torch.zeros_like(row.levels)
        for block in range(int(self._block.max()) + 1):
            hidden = self._block == block
            for noise, gumbel in zip(self._noise, self._gumbel, strict=True):
                drawn, told = self._diffusion.fill(network, row, hidden, noise, gumbel)
                numbers += drawn * hidden[:a] / len(self._noise)
                chances += told * hidden[a:, None] / len(self._noise)
        surprise = -(row.levels * chances.clamp(min=_LEAST).log()).sum(dim=2)
        errors = torch.cat([(numbers - row.numbers) ** 2, surprise], dim=1)
        return errors, self._diffusion.apart(numbers, chances)

    def _kept(self) -> dict[str, NDArray[Any]]:
        own = {"block": self._block.numpy(), "noise": self._noise.numpy(), "usual": self._usual}
        return {**own, **self._mixed.arrays(), "gumbel": self._gumbel.numpy()} if len(self._mixed.sizes) else own

    def _recall(self, arrays: dict[str, NDArray[Any]]) -> None:
        self._block, self._noise = (torch.from_numpy(arrays[name].copy()) for name in ("block", "noise"))
        self._usual = arrays["usual"]
        layout = Layout(arrays["source"], arrays["category"], arrays["flag"]) if "source" in arrays else None
        self._take(MixedRows.of(layout, len(self._block)))
        none = np.zeros((self.draws, len(SIGMAS), *self._diffusion.base.shape), np.float32)
        self._gumbel = torch.from_numpy(arrays.get("gumbel", none).copy())
