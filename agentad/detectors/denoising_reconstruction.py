"""Partial noising and a few deterministic denoising steps: how far from the row does it end?

A row is noised to a level σ and brought back by DDIM (Song et al. 2021, https://arxiv.org/abs/2010.02502). A model of
normal rows returns a normal row, near the one it was given where that is normal. The errors at several σ are each put
on the scale of the training rows and added: `agentad.detectors.moves`. The noise is drawn once, when fitting, and is
the same for every row, so that a row's score does not depend on its company and luck is shared by all.

This is not TabADM (Zamberg et al. 2023, https://arxiv.org/abs/2307.12336), which adds up the errors of a table's
diffusion model over timesteps too, but those of one prediction each, and rejects training rows of high loss, since they
may be contaminated. Here rows are denoised to the end, from three levels, and none is rejected.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from agentad.detectors.base import Floats, Ints, Scores, State
from agentad.detectors.moves import MoveScale
from agentad.detectors.row_networks import Budget, RowNetworks
from agentad.diffusion.denoisers import MlpDenoiser
from agentad.diffusion.edm import Edm
from agentad.diffusion.sampling import ddim

LEVELS = (0.5, 1.0, 2.0)
"""Noise levels σ that rows are brought to, in standard deviations of a column."""
SIGMA_LOW = 0.1
"""Level of the last denoising step."""


class DenoisingReconstruction:
    """Σ over noise levels of the reconstruction error, each on the scale of held-out rows. Rows are (n, d), unscaled.

    Args:
        draws: noise vectors for each level, in pairs of opposite sign; errors are the means over them.
        denoising_steps: DDIM steps from each level.
        width: width of the denoisers.
        steps: training steps of each, at most; it stops earlier where its validation loss no longer falls.
        folds: number of denoisers; each learns from all folds but one, and judges that one.
        seconds: CPU seconds of training in all, at most; 0 for no limit. What it ends depends on the machine.
    """

    held_out: Scores

    def __init__(
        self,
        *,
        draws: int = 8,
        denoising_steps: int = 4,
        width: int = 128,
        steps: int = 600,
        folds: int = 2,
        seconds: float = 0.0,
    ) -> None:
        self.draws = draws
        self.denoising_steps = denoising_steps
        self.width = width
        self.steps = steps
        self.folds = folds
        self.seconds = seconds
        self._edm = Edm()

    def fit(self, x: Floats, *, groups: Ints | None = None, seed: int = 0) -> Self:
        """Learn the denoisers from the rows x (n, d), and how well they rebuild rows they have not seen.

        Raises:
            InputError: fewer than two groups.
        """
        half = torch.randn(self.draws // 2, x.shape[1], generator=torch.Generator().manual_seed(seed))
        self._noise = torch.cat([half, -half])
        budget = Budget(self.steps, self.seconds)
        self._rows, fold = RowNetworks.learn(
            x, groups, folds=self.folds, seed=seed, build=self._build, loss=self._edm.loss, budget=budget
        )
        errors, rebuilt = self._rows.held_out(x, fold, self._errors)
        self._scale = MoveScale.of(errors)
        self.held_out = self._scale.scores(errors, rebuilt, self._rows.scaling)
        return self

    def score(self, x: Floats) -> Scores:
        """Scores of rows (m, d), each column's contribution, and the mean rebuilt row."""
        moves, denoised = self._rows.mean(x, self._errors)
        return self._scale.scores(moves, denoised, self._rows.scaling)

    def _build(self, dim: int) -> nn.Module:
        return MlpDenoiser(dim, width=self.width)

    @torch.inference_mode()
    def _errors(self, network: nn.Module, u: Tensor) -> tuple[Tensor, ...]:
        """Root mean square errors over the draws, by level and column (m, l, d), and the mean rebuilt row (m, d)."""
        errors, rebuilt = [], torch.zeros_like(u)
        for level in LEVELS:
            sigmas = np.geomspace(level, SIGMA_LOW, self.denoising_steps).tolist()
            square = torch.zeros_like(u)
            for noise in self._noise:
                end = ddim(lambda x, s: self._edm.denoise(network, x, torch.tensor([s])), u + level * noise, sigmas)
                square += (end - u) ** 2 / len(self._noise)
                rebuilt += end / (len(self._noise) * len(LEVELS))
            errors.append(square.sqrt())
        return torch.stack(errors, dim=1), rebuilt

    def state(self) -> State:
        """The denoisers, the noise, and what is usual for the errors."""
        arrays = {**self._rows.arrays(), **self._scale.arrays(), "noise": self._noise.numpy()}
        return State(arrays, self.settings())

    def settings(self) -> dict[str, Any]:
        """The constructor's parameters."""
        names = ("draws", "denoising_steps", "width", "steps", "folds", "seconds")
        return {name: getattr(self, name) for name in names}

    @classmethod
    def restore(cls, state: State) -> Self:
        """The detector that `state` came from, without `held_out`."""
        self = cls(**state.settings)
        self._noise = torch.from_numpy(state.arrays["noise"].copy())
        self._rows = RowNetworks.restore(state.arrays, self._build)
        self._scale = MoveScale(state.arrays["median"], state.arrays["spread"])
        return self
