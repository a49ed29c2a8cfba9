"""How long a row must have diffused, by a network: DTE-C of Livernoche et al. 2023.

Notation, as in https://arxiv.org/abs/2305.18593, section 4, and the authors' code:

    T        timesteps; β_t rises linearly from 1e-4 to 0.01
    σ_t²     1 − Π_{s≤t} (1 − β_s)
    x_t      x_0 + σ_t ε, without drift
    bins     the timesteps in equal parts; the network tells from x_t which bin t is in

    score = Σ_k k p(bin k | x)

the expected bin of the row as it is. Here the network is one of residual blocks rather than the paper's plain layers,
with fewer steps of a one-cycle schedule, and averaged over folds.
"""

from __future__ import annotations

from typing import Self

import torch
from torch import Tensor, nn

from agentad.detectors.base import Floats, Ints, Scores
from agentad.detectors.learned_rows import LearnedRows

T = 400
BINS = 7


class DiffusionTime(LearnedRows):
    """The expected diffusion-time bin, 0 to 6. Encoded rows are (n, d), unscaled.

    Args:
        width: width of the classifiers.
        steps: training steps of each, at most; it stops earlier where its validation loss no longer falls.
        folds: number of classifiers; each learns from all folds but one, and judges that one.
        seconds: CPU seconds of training in all, at most; 0 for no limit. What it ends depends on the machine.
    """

    def __init__(self, *, width: int = 128, steps: int = 600, folds: int = 2, seconds: float = 0.0) -> None:
        super().__init__(width=width, steps=steps, folds=folds, seconds=seconds)

    def fit(self, x: Floats, *, groups: Ints | None = None, seed: int = 0) -> Self:
        """Learn the classifiers from the rows x (n, d), and score those each has not seen.

        Raises:
            InputError: fewer than two groups.
        """
        fold = self._learn(x, groups, seed)
        self.held_out = Scores(self._rows.held_out(x, fold, _expected_bin)[0])
        return self

    def score(self, x: Floats) -> Scores:
        """Scores of rows (m, d)."""
        return Scores(self._rows.mean(x, _expected_bin)[0])

    def _build(self, dim: int) -> nn.Module:
        return TimeClassifier(dim, width=self.width)

    def _loss(self, network: nn.Module, u: Tensor, generator: torch.Generator) -> Tensor:
        """Cross-entropy of the bin that a random time of each row u (n, d) is in."""
        t = torch.randint(T, (len(u),), generator=generator)
        noise = torch.randn(u.shape, generator=generator)
        noisy = u + _sigma()[t].to(u.device)[:, None] * noise.to(u.device)
        return nn.functional.cross_entropy(network(noisy), (t * BINS // T).to(u.device))


class TimeClassifier(nn.Module):
    """Rows to logits of the diffusion-time bins."""

    def __init__(self, dim: int, *, width: int) -> None:
        super().__init__()
        self.enter = nn.Linear(dim, width)
        self.inner = nn.Linear(width, 2 * width)
        self.outer = nn.Linear(2 * width, width)
        self.leave = nn.Linear(width, BINS)

    def forward(self, x: Tensor) -> Tensor:
        """(n, dim) to (n, BINS)."""
        h = nn.functional.relu(self.enter(x))
        h = h + nn.functional.relu(self.outer(nn.functional.relu(self.inner(h))))
        logits: Tensor = self.leave(h)
        return logits


def _sigma() -> Tensor:
    """Noise levels (T,)."""
    return (1 - torch.cumprod(1 - torch.linspace(1e-4, 0.01, T), dim=0)).sqrt()


@torch.inference_mode()
def _expected_bin(network: nn.Module, u: Tensor) -> tuple[Tensor, ...]:
    return (network(u).softmax(dim=1) @ torch.arange(BINS, dtype=torch.float32),)
