"""The length of the score at several noise levels.

A denoiser knows the gradient of the log density of the data plus noise of deviation σ (the score, in the statistician's
sense): σ² ∇ log p_σ(x) = D(x; σ) − x (Karras et al. 2022, https://arxiv.org/abs/2206.00364, eq. 3). Where rows are
common it is short; away from them it points back, and is long. Lengths at several σ were proposed as a signature of
odd samples by Mahmood et al. 2021 (https://arxiv.org/abs/2010.13132), who then fit a density to the vector of lengths.
Here each length is put on the scale of the training rows and they are added: `agentad.detectors.moves`. No noise is
drawn.
"""

from __future__ import annotations

from typing import Any, Self

import torch
from torch import Tensor, nn

from agentad.detectors.base import Floats, Ints, Scores, State
from agentad.detectors.moves import MoveScale
from agentad.detectors.row_networks import Budget, RowNetworks
from agentad.diffusion.denoisers import MlpDenoiser
from agentad.diffusion.edm import Edm

LEVELS = (0.5, 1.0, 2.0)
"""Noise levels σ, in standard deviations of a column."""


class ScoreNorm:
    """Σ over noise levels of ‖σ² ∇ log p_σ(x)‖, each on the scale of held-out rows. Encoded rows are (n, d), unscaled.

    Args:
        width: width of the denoisers.
        steps: training steps of each, at most; it stops earlier where its validation loss no longer falls.
        folds: number of denoisers; each learns from all folds but one, and judges that one.
        seconds: CPU seconds of training in all, at most; 0 for no limit. What it ends depends on the machine.
    """

    held_out: Scores

    def __init__(self, *, width: int = 128, steps: int = 600, folds: int = 2, seconds: float = 0.0) -> None:
        self.width = width
        self.steps = steps
        self.folds = folds
        self.seconds = seconds
        self._edm = Edm()

    def fit(self, x: Floats, *, groups: Ints | None = None, seed: int = 0) -> Self:
        """Learn the denoisers from the rows x (n, d), and how far they move rows they have not seen.

        Raises:
            InputError: fewer than two groups.
        """
        budget = Budget(self.steps, self.seconds)
        self._rows, fold = RowNetworks.learn(
            x, groups, folds=self.folds, seed=seed, build=self._build, loss=self._edm.loss, budget=budget
        )
        moves, denoised = self._rows.held_out(x, fold, self._moves)
        self._scale = MoveScale.of(moves)
        self.held_out = self._scale.scores(moves, denoised, self._rows.scaling)
        return self

    def score(self, x: Floats) -> Scores:
        """Scores of rows (m, d), each column's contribution, and the mean denoised row."""
        moves, denoised = self._rows.mean(x, self._moves)
        return self._scale.scores(moves, denoised, self._rows.scaling)

    def _build(self, dim: int) -> nn.Module:
        return MlpDenoiser(dim, width=self.width)

    @torch.inference_mode()
    def _moves(self, network: nn.Module, u: Tensor) -> tuple[Tensor, ...]:
        """D(u; σ) − u at each level (m, l, d), and the mean of D (m, d)."""
        denoised = torch.stack([self._edm.denoise(network, u, torch.tensor([sigma])) for sigma in LEVELS], dim=1)
        return denoised - u[:, None], denoised.mean(dim=1)

    def state(self) -> State:
        """The denoisers and what is usual for their moves."""
        return State({**self._rows.arrays(), **self._scale.arrays()}, self.settings())

    def settings(self) -> dict[str, Any]:
        """The constructor's parameters."""
        return {name: getattr(self, name) for name in ("width", "steps", "folds", "seconds")}

    @classmethod
    def restore(cls, state: State) -> Self:
        """The detector that `state` came from, without `held_out`."""
        self = cls(**state.settings)
        self._rows = RowNetworks.restore(state.arrays, self._build)
        self._scale = MoveScale(state.arrays["median"], state.arrays["spread"])
        return self
