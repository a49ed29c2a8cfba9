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
from numpy.typing import NDArray
from torch import Tensor, nn

from agentad.detectors.base import Floats, Ints
from agentad.detectors.learned_rows import LearnedMoves
from agentad.diffusion.sampling import ddim

LEVELS = (0.5, 1.0, 2.0)
"""Noise levels σ that rows are brought to, in standard deviations of a column."""
SIGMA_LOW = 0.1
"""Level of the last denoising step."""


class DenoisingReconstruction(LearnedMoves):
    """Σ over noise levels of the reconstruction error, each on the scale of held-out rows. Rows are (n, d), unscaled.

    Args:
        draws: noise vectors for each level, in pairs of opposite sign; errors are the means over them.
        denoising_steps: DDIM steps from each level.
        width: width of the denoisers.
        steps: training steps of each, at most; it stops earlier where its validation loss no longer falls.
        folds: number of denoisers; each learns from all folds but one, and judges that one.
        seconds: CPU seconds of training in all, at most; 0 for no limit. What it ends depends on the machine.
    """

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
        super().__init__(width=width, steps=steps, folds=folds, seconds=seconds)
        self.draws = draws
        self.denoising_steps = denoising_steps

    def fit(self, x: Floats, *, groups: Ints | None = None, seed: int = 0) -> Self:
        """Learn the denoisers from the rows x (n, d), and how well they rebuild rows they have not seen.

        Raises:
            InputError: fewer than two groups.
        """
        half = torch.randn(self.draws // 2, x.shape[1], generator=torch.Generator().manual_seed(seed))
        self._noise = torch.cat([half, -half])
        return super().fit(x, groups=groups, seed=seed)

    @torch.inference_mode()
    def _moves(self, network: nn.Module, u: Tensor) -> tuple[Tensor, ...]:
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

    def _kept(self) -> dict[str, NDArray[Any]]:
        return {**super()._kept(), "noise": self._noise.numpy()}

    def _recall(self, arrays: dict[str, NDArray[Any]]) -> None:
        super()._recall(arrays)
        self._noise = torch.from_numpy(arrays["noise"].copy())
