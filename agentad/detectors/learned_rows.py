"""What the learned row detectors share: cross-fitted networks, their budget, and how both are saved."""

from __future__ import annotations

from inspect import signature
from typing import Any, Self

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from agentad.detectors.base import Floats, Ints, Scores, State
from agentad.detectors.moves import MoveScale
from agentad.detectors.robust import Scaling
from agentad.detectors.row_networks import Budget, RowNetworks
from agentad.diffusion.denoisers import MlpDenoiser
from agentad.diffusion.edm import Edm


class LearnedRows:
    """Networks over encoded rows (n, d), unscaled; by default EDM's denoiser and its loss.

    A subclass keeps each parameter of its constructor in the attribute of that name.

    Args:
        width: width of the networks.
        steps: training steps of each, at most; it stops earlier where its validation loss no longer falls.
        folds: number of networks; each learns from all folds but one, and judges that one.
        seconds: CPU seconds of training in all, at most; 0 for no limit. What it ends depends on the machine.
    """

    held_out: Scores
    _rows: RowNetworks

    def __init__(self, *, width: int, steps: int, folds: int, seconds: float) -> None:
        self.width = width
        self.steps = steps
        self.folds = folds
        self.seconds = seconds
        self._edm = Edm()

    def _learn(self, x: Floats, groups: Ints | None, seed: int, scaling: Scaling | None = None) -> Ints:
        """Learn the networks, and return the fold (n,) of each row: network k has not seen fold k nor its groups."""
        budget = Budget(self.steps, self.seconds)
        self._rows, fold = RowNetworks.learn(
            x,
            groups,
            folds=self.folds,
            seed=seed,
            build=self._build,
            loss=self._loss,
            budget=budget,
            scaling=scaling,
        )
        return fold

    def _build(self, dim: int) -> nn.Module:
        return MlpDenoiser(dim, width=self.width)

    def _loss(self, network: nn.Module, u: Tensor, generator: torch.Generator) -> Tensor:
        return self._edm.loss(network, u, generator)

    def _kept(self) -> dict[str, NDArray[Any]]:
        """What was learned beside the networks, as arrays."""
        return {}

    def _recall(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Take back what `_kept` returned."""

    def state(self) -> State:
        """The networks, their scaling, and what was learned beside them."""
        return State({**self._rows.arrays(), **self._kept()}, self.settings())

    def settings(self) -> dict[str, Any]:
        """The constructor's parameters."""
        return {name: getattr(self, name) for name in signature(type(self)).parameters}

    @classmethod
    def restore(cls, state: State) -> Self:
        """The detector that `state` came from, without `held_out`."""
        self = cls(**state.settings)
        self._recall(state.arrays)
        self._rows = RowNetworks.restore(state.arrays, self._build)
        return self


class LearnedMoves(LearnedRows):
    """Scores by how far denoisers move a row: `agentad.detectors.moves`."""

    _scale: MoveScale

    def fit(self, x: Floats, *, groups: Ints | None = None, seed: int = 0) -> Self:
        """Learn the denoisers from the rows x (n, d), and how far they move rows they have not seen.

        Raises:
            InputError: fewer than two groups.
        """
        fold = self._learn(x, groups, seed)
        moves, denoised = self._rows.held_out(x, fold, self._moves)
        self._scale = MoveScale.of(moves)
        self.held_out = self._scale.scores(moves, denoised, self._rows.scaling)
        return self

    def score(self, x: Floats) -> Scores:
        """Scores of rows (m, d), each column's contribution, and the mean denoised row."""
        moves, denoised = self._rows.mean(x, self._moves)
        return self._scale.scores(moves, denoised, self._rows.scaling)

    def _moves(self, network: nn.Module, u: Tensor) -> tuple[Tensor, ...]:
        """Moves of scaled rows u (m, d) by level and column (m, l, d), and the mean denoised row (m, d)."""
        raise NotImplementedError

    def _kept(self) -> dict[str, NDArray[Any]]:
        return self._scale.arrays()

    def _recall(self, arrays: dict[str, NDArray[Any]]) -> None:
        self._scale = MoveScale(arrays["median"], arrays["spread"])
