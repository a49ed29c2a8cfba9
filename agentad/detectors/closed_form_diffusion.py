"""Three diffusion models of the training rows that need no training, judged together.

Each is exact for what it assumes, at the noise levels used:

- the rows themselves: how far their ideal denoiser moves a row, twelve lengths (`agentad.detectors.empirical_moves`);
- a Gaussian around each row, fitted to its thirty nearest references: the length of its score
  (`agentad.detectors.local_gaussian`);
- a mixture of at most five Gaussians: its log-likelihood (`agentad.detectors.mixture`).

The first knows everything that was seen and nothing in between, the last knows the coarse shape of the whole, and what
holds between columns far from any reference. Each measure counts by how rarely held-out normal rows reach as much
(`agentad.detectors.tails`), and

    score = Σ over the 12 lengths + 2 · local Gaussian + 2 · mixture

A column's contribution is its part of the moves' lengths, each length as much as it counts, scaled to sum to the score.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

import numpy as np
from numpy.typing import NDArray

from agentad.detectors.base import Floats, Ints, Scores, State
from agentad.detectors.empirical_moves import LENGTHS, EmpiricalMoves, Found, unit_parts
from agentad.detectors.folds import group_folds
from agentad.detectors.local_gaussian import local_lengths
from agentad.detectors.mixture import Mixtures
from agentad.detectors.robust import as_float32
from agentad.detectors.tails import Tails
from agentad.modalities.table.layout import Layout

LOCAL_NOISE = 0.01
"""Variance of the local Gaussian's noise over all columns, in squared typical distances."""
MIXTURE_NOISE = 0.01
"""σ² of the mixture, in squared units of the scaled columns."""
WEIGHTS = np.array([*[1.0] * LENGTHS, 2.0, 2.0])
WIDEST = 200
"""Columns up to which a mixture is fitted: its covariances have as many squared."""
FEWEST = 20
"""References from which on a mixture is fitted."""
FAR = 20.0
"""Scaled units from the mean at which a value is cut for the mixture."""
_FOLDS = 3

Mask = NDArray[np.bool_]
Judged = tuple[slice | Ints, list[Found], Floats]
"""Where rows are, what was found, and the two other measures of each (m, 2)."""


class ClosedFormDiffusion:
    """Rarity of a row under closed-form diffusion models. Encoded rows are (n, d), unscaled.

    Args:
        references: most training rows kept to denoise with and to learn from, drawn at random where there are more.
    """

    uses_layout = True

    held_out: Scores

    def __init__(self, *, references: int = 5000) -> None:
        self.references = references

    def fit(self, x: Floats, *, groups: Ints | None = None, seed: int = 0, layout: Layout | None = None) -> Self:
        """Choose references among the rows x (n, d), fit the mixtures to them, and measure how all judge each other.

        Raises:
            InputError: fewer than two rows, or a single group.
        """
        groups = np.arange(len(x)) if groups is None else np.asarray(groups)
        m = self._moves = EmpiricalMoves(x, groups, references=self.references, seed=seed, layout=layout)
        mixed = self._fit_mixtures(x, groups, seed)
        reference = np.zeros(len(x), dtype=bool)
        reference[m.chosen] = True
        held_out = list(m.held_out(x, groups))
        others = np.column_stack([np.empty(len(x)), mixed])
        for at, found in held_out:
            others[at, 0] = self._local(found)
        self._tails = Tails.of(
            np.concatenate([self._measures(found, others[m.chosen[at]])[0] for at, found in m.references])
        )
        judged = ((at, found, others[at]) for at, found in held_out)
        self.held_out = self._judge(judged, x.shape, included=reference)
        return self

    def _fit_mixtures(self, x: Floats, groups: Ints, seed: int) -> NDArray[np.float64]:
        """Surprise (n,) of rows by a mixture that has not seen them; 0 with too many columns or too few rows."""
        self._mixtures: Mixtures | None = None
        if x.shape[1] > WIDEST or len(self._moves.rows) < FEWEST:
            return np.zeros(len(x))
        u, fold = self._clipped(x), group_folds(groups, _FOLDS, seed)
        chosen = self._moves.chosen
        self._mixtures = Mixtures.fit(u[chosen], fold[chosen], noise=MIXTURE_NOISE, seed=seed)
        return self._mixtures.held_out(u, fold)

    def score(self, x: Floats) -> Scores:
        """Scores of rows (m, d), each column's contribution, and the mean denoised row."""
        mixed = np.zeros(len(x)) if self._mixtures is None else self._mixtures.surprise(self._clipped(x))
        batches = self._moves.search(x, None)
        rows = ((at, found, np.column_stack([self._local(found), mixed[at]])) for at, found in batches)
        return self._judge(rows, x.shape, included=np.zeros(len(x), dtype=bool))

    def _judge(self, rows: Iterable[Judged], shape: tuple[int, ...], *, included: Mask) -> Scores:
        item = np.empty(shape[0])
        local, expected = np.empty(shape, dtype=np.float32), np.empty(shape, dtype=np.float32)
        for at, found, others in rows:
            measures, parts, expected[at] = self._measures(found, others)
            rarity = self._tails.rarity(measures, included=included[at]) * WEIGHTS
            item[at] = rarity.sum(axis=1)
            share = np.einsum("nld,nl->nd", parts, unit_parts(parts, rarity[:, :LENGTHS]))
            local[at] = as_float32(share * _ratio(item[at], share.sum(axis=1))[:, None])
        return Scores(item=item, local=local, expected=expected)

    def _measures(self, found: list[Found], others: Floats) -> tuple[Floats, Floats, Floats]:
        """All measures (m, 14), the powers that the lengths are roots of (m, 12, d), and the denoised rows (m, d)."""
        moves, expected = self._moves.moves(found)
        lengths, parts = self._moves.lengths(moves)
        return np.concatenate([lengths, others], axis=1), parts, expected

    def _local(self, found: list[Found]) -> Floats:
        """Length of the score (m,) of the Gaussian around each row."""
        noise = LOCAL_NOISE * self._moves.typical[0] ** 2 / found[0].rows.shape[1]
        return local_lengths(found[0], noise)

    def _clipped(self, x: Floats) -> Floats:
        return np.clip(self._moves.scalings[0].apply(x), -FAR, FAR)

    def state(self) -> State:
        """The references, the mixtures, and what is usual for each measure."""
        mixtures = {} if self._mixtures is None else self._mixtures.arrays()
        arrays = {**self._moves.arrays(), **mixtures, "usual": self._tails.usual}
        return State(arrays=arrays, settings={"references": self.references})

    @classmethod
    def restore(cls, state: State) -> Self:
        """The detector that `state` came from, without `held_out`."""
        a = state.arrays
        self = cls(**state.settings)
        self._moves = EmpiricalMoves.restore(a)
        self._mixtures = Mixtures.restore(a)
        self._tails = Tails(a["usual"])
        return self


def _ratio(over: Floats, under: Floats) -> Floats:
    return np.asarray(np.divide(over, under, out=np.zeros_like(over), where=under > 0))
