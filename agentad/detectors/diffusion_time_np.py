"""How long a row must have diffused, from its neighbours: DTE-NP of Livernoche et al. 2023.

Notation, as in https://arxiv.org/abs/2305.18593, section 4:

    x_s = x_0 + σ_t ε        a row as some training row x_0 after diffusing for a time t, without drift
    p(σ_t² | x_s)            inverse gamma with shape a = d/2 − 1 and scale b = ‖x_s − x_0‖² / 2

As in the paper's estimator the distance to x_0 is the mean distance r to the K nearest training rows. The posterior's
mode, b / (a + 1), is the score:

    score = r² / d

The authors' code reads the mode off a grid of timesteps of its noise schedule; here it is exact, so rows do not tie. It
rises with r: rows rank as by the mean distance to K neighbours. What the posterior adds is the unit, the variance a
column must have gained.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from agentad.detectors.base import Floats, Ints, Scores, State
from agentad.detectors.fair_columns import fair_scalings
from agentad.detectors.nearest_rows import batches, mean_distance
from agentad.detectors.robust import Scaling, as_float32
from agentad.detectors.self_cleaning import column_shares
from agentad.errors import InputError
from agentad.memory.neighbours import Neighbours
from agentad.modalities.table.layout import Layout


class DiffusionTimeNP:
    """Mode of the posterior over the diffusion variance, given the K nearest rows. Encoded rows are (n, d), unscaled.

    Args:
        neighbours: K.
        references: most training rows kept to search, drawn at random where there are more.
    """

    uses_layout = True

    held_out: Scores

    def __init__(self, *, neighbours: int = 5, references: int = 20_000) -> None:
        self.neighbours = neighbours
        self.references = references

    def fit(self, x: Floats, *, groups: Ints | None = None, seed: int = 0, layout: Layout | None = None) -> Self:
        """Keep references among the rows x (n, d), and score every row against those of other groups.

        Raises:
            InputError: fewer than two rows, or a single group.
        """
        groups = np.arange(len(x)) if groups is None else np.asarray(groups)
        chosen = np.sort(np.random.default_rng(seed).permutation(len(x))[: self.references])
        if len(np.unique(groups[chosen])) < 2:
            raise InputError(f"{len(x)} rows of one source cannot judge each other; give rows of at least two sources")
        self._scaling = fair_scalings(x, layout)[0]
        self._rows = np.asarray(x[chosen], dtype=np.float32)
        self._references = Neighbours(self._scaling.apply(self._rows), groups=groups[chosen])
        self.held_out = self._judge(x, groups)
        return self

    def score(self, x: Floats) -> Scores:
        """Scores of rows (m, d), each column's contribution, and the mean of the neighbours."""
        return self._judge(x, None)

    def _judge(self, x: Floats, leave_out: Ints | None) -> Scores:
        item = np.empty(len(x))
        local, expected = np.empty(x.shape, dtype=np.float32), np.empty(x.shape, dtype=np.float32)
        for at in batches(x):
            u = self._scaling.apply(x[at])
            out = None if leave_out is None else leave_out[at]
            distances, indices = self._references.search(u, self.neighbours, leave_out=out)
            near = self._references.references[indices]
            item[at] = mean_distance(distances) ** 2 / x.shape[1]
            local[at] = as_float32(column_shares(u, near, distances) * item[at, None])
            found = np.isfinite(distances)
            weights = found / found.sum(axis=1, keepdims=True)
            expected[at] = self._scaling.undo(np.einsum("nk,nkd->nd", weights, near))
        return Scores(item=item, local=local, expected=expected)

    def state(self) -> State:
        """References in the encoder's units, and the scaling."""
        arrays: dict[str, NDArray[Any]] = {
            "rows": self._rows,
            "centre": self._scaling.centre,
            "scale": self._scaling.scale,
        }
        return State(arrays, {"neighbours": self.neighbours, "references": self.references})

    @classmethod
    def restore(cls, state: State) -> Self:
        """The detector that `state` came from, without `held_out`."""
        self = cls(**state.settings)
        self._scaling = Scaling(state.arrays["centre"], state.arrays["scale"])
        self._rows = state.arrays["rows"]
        self._references = Neighbours(self._scaling.apply(self._rows))
        return self
