"""The length of the score at several noise levels.

A denoiser knows the gradient of the log density of the data plus noise of deviation σ (the score, in the statistician's
sense): σ² ∇ log p_σ(x) = D(x; σ) − x (Karras et al. 2022, https://arxiv.org/abs/2206.00364, eq. 3). Where rows are
common it is short; away from them it points back, and is long. Lengths at several σ were proposed as a signature of
odd samples by Mahmood et al. 2021 (https://arxiv.org/abs/2010.13132), who then fit a density to the vector of lengths.
Here each length is put on the scale of the training rows and they are added: `agentad.detectors.moves`. No noise is
drawn.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from agentad.detectors.learned_rows import LearnedMoves

LEVELS = (0.5, 1.0, 2.0)
"""Noise levels σ, in standard deviations of a column."""


class ScoreNorm(LearnedMoves):
    """Σ over noise levels of ‖σ² ∇ log p_σ(x)‖, each on the scale of held-out rows. Encoded rows are (n, d), unscaled.

    Args:
        width: width of the denoisers.
        steps: training steps of each, at most; it stops earlier where its validation loss no longer falls.
        folds: number of denoisers; each learns from all folds but one, and judges that one.
        seconds: CPU seconds of training in all, at most; 0 for no limit. What it ends depends on the machine.
    """

    def __init__(self, *, width: int = 128, steps: int = 600, folds: int = 2, seconds: float = 0.0) -> None:
        super().__init__(width=width, steps=steps, folds=folds, seconds=seconds)

    @torch.inference_mode()
    def _moves(self, network: nn.Module, u: Tensor) -> tuple[Tensor, ...]:
        """D(u; σ) − u at each level (m, l, d), and the mean of D (m, d)."""
        denoised = torch.stack([self._edm.denoise(network, u, torch.tensor([sigma])) for sigma in LEVELS], dim=1)
        return denoised - u[:, None], denoised.mean(dim=1)
