"""The exact diffusion model of the training rows, used as a detector. Nothing is trained.

An item is anomalous where denoising moves it far: `agentad.detectors.empirical_moves` says how rows are denoised, six
times, and how each move is measured, twice. The twelve lengths a are added:

    score = Σ (a − median a) / (95 % quantile of a − median a)

The medians and the quantiles are those of the references, each denoised by the others (leave one out). A column's
contribution is its part of Σ a / (95 % quantile − median): the contributions sum to the score up to a constant.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

import numpy as np

from agentad.detectors.base import Floats, Ints, Scores, State
from agentad.detectors.empirical_moves import Batch, EmpiricalMoves, unit_parts
from agentad.detectors.robust import as_float32, centre_and_spread
from agentad.modalities.table.layout import Layout


class EmpiricalDenoiser:
    """How far, and how unusually, the empirical denoiser moves a row. Encoded rows are (n, d), unscaled.

    Args:
        references: most training rows kept to denoise with, drawn at random where there are more.
    """

    uses_layout = True

    held_out: Scores

    def __init__(self, *, references: int = 5000) -> None:
        self.references = references

    def fit(self, x: Floats, *, groups: Ints | None = None, seed: int = 0, layout: Layout | None = None) -> Self:
        """Choose references among the rows x (n, d) and measure how they denoise each other.

        Raises:
            InputError: fewer than two rows, or a single group.
        """
        groups = np.arange(len(x)) if groups is None else np.asarray(groups)
        m = self._moves = EmpiricalMoves(x, groups, references=self.references, seed=seed, layout=layout)
        lengths = np.concatenate([m.lengths(m.moves(found)[0])[0] for _, found in m.references])
        self._median, self._spread = centre_and_spread(lengths)
        self.held_out = self._judge(m.held_out(x, groups), x.shape)
        return self

    def score(self, x: Floats) -> Scores:
        """Scores of rows (m, d), each column's contribution, and the mean denoised row."""
        return self._judge(self._moves.search(x, None), x.shape)

    def _judge(self, rows: Iterable[Batch], shape: tuple[int, ...]) -> Scores:
        item = np.empty(shape[0])
        local, expected = np.empty(shape, dtype=np.float32), np.empty(shape, dtype=np.float32)
        for at, found in rows:
            moves, expected[at] = self._moves.moves(found)
            lengths, parts = self._moves.lengths(moves)
            item[at] = ((lengths - self._median) / self._spread).sum(axis=1)
            local[at] = as_float32(np.einsum("nld,nl->nd", parts, unit_parts(parts, lengths) / self._spread))
        return Scores(item=item, local=local, expected=expected)

    def state(self) -> State:
        """The references, and what is usual for the lengths of their moves."""
        arrays = {**self._moves.arrays(), "median": self._median, "spread": self._spread}
        return State(arrays=arrays, settings={"references": self.references})

    @classmethod
    def restore(cls, state: State) -> Self:
        """The detector that `state` came from, without `held_out`."""
        self = cls(**state.settings)
        self._moves = EmpiricalMoves.restore(state.arrays)
        self._median, self._spread = state.arrays["median"], state.arrays["spread"]
        return self
