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

from typing import Any, Self

import torch
from torch import Tensor, nn

from agentad.detectors.base import Floats, Ints, Scores, State
from agentad.detectors.row_networks import Budget, RowNetworks

T = 400
BINS = 7


class DiffusionTime:
    """The expected diffusion-time bin, 0 to 6. Encoded rows are (n, d), unscaled.

    Args:
        width: width of the classifiers.
        steps: training steps of each, at most; it stops earlier where its validation loss no longer falls.
        folds: number of classifiers; each learns from all folds but one, and judges that one.
        seconds: CPU seconds of training in all, at most; 0 for no limit. What it ends depends on the machine.
    """

    held_out: Scores

    def __init__(self, *, width: int = 128, steps: int = 600, folds: int = 2, seconds: float = 0.0) -> None:
        self.width = width
        self.steps = steps
        self.folds = folds
        self.seconds = seconds

    def fit(self, x: Floats, *, groups: Ints | None = None, seed: int = 0) -> Self:
        """Learn the classifiers from the rows x (n, d), and score those each has not seen.

        Raises:
            InputError: fewer than two groups.
        """
        budget = Budget(self.steps, self.seconds)
        self._rows, fold = RowNetworks.learn(
            x, groups, folds=self.folds, seed=seed, build=self._build, loss=bin_loss, budget=budget
        )
        self.held_out = Scores(self._rows.held_out(x, fold, _expected_bin)[0])
        return self

    def score(self, x: Floats) -> Scores:
        """Scores of rows (m, d)."""
        return Scores(self._rows.mean(x, _expected_bin)[0])

    def _build(self, dim: int) -> nn.Module:
        return TimeClassifier(dim, width=self.width)

    def state(self) -> State:
        """The classifiers."""
        return State(self._rows.arrays(), self.settings())

    def settings(self) -> dict[str, Any]:
        """The constructor's parameters."""
        return {name: getattr(self, name) for name in ("width", "steps", "folds", "seconds")}

    @classmethod
    def restore(cls, state: State) -> Self:
        """The detector that `state` came from, without `held_out`."""
        self = cls(**state.settings)
        self._rows = RowNetworks.restore(state.arrays, self._build)
        return self


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


def bin_loss(network: nn.Module, x: Tensor, generator: torch.Generator) -> Tensor:
    """Cross-entropy of the bin that a random time of each row x (n, d) is in."""
    t = torch.randint(T, (len(x),), generator=generator)
    noise = torch.randn(x.shape, generator=generator)
    noisy = x + _sigma()[t].to(x.device)[:, None] * noise.to(x.device)
    return nn.functional.cross_entropy(network(noisy), (t * BINS // T).to(x.device))


def _sigma() -> Tensor:
    """Noise levels (T,)."""
    return (1 - torch.cumprod(1 - torch.linspace(1e-4, 0.01, T), dim=0)).sqrt()


@torch.inference_mode()
def _expected_bin(network: nn.Module, u: Tensor) -> tuple[Tensor, ...]:
    return (network(u).softmax(dim=1) @ torch.arange(BINS, dtype=torch.float32),)
