"""Three robust views of rows of which some may be anomalous, judged together.

- Neighbours: the distance to the rows that remain after cleaning (`agentad.detectors.self_cleaning`).
- The whole: a Gaussian of most rows, with noise (`agentad.detectors.trimmed_gaussian`).
- Each column: how rare its value is by itself, after noise (`agentad.detectors.column_densities`).

Two are lengths, of which the logarithm is taken, and the third is a logarithm already. With q50 and q75 the median and
the upper quartile over the training rows,

    z = (ln a − q50) / (q75 − q50)        score = exp(½ · (2 z_neighbours + 2 z_whole + z_columns) / 5)

a weighted geometric mean of measures brought to one spread: being odd in one view is not drowned by the others, and one
huge number does not decide alone.

The distance of a training row leaves out its group. The Gaussian and the densities are those of all rows: where copies
of a row are normal they have to vouch for each other, and leaving groups out cost half a point of AUROC. One row moves
them little, and in the densities every row, known or new, counts itself once. A column's contribution is its part of
the distance to the cleaned rows, scaled to sum to the score, and the expected row is that of self-cleaning.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from agentad.detectors.base import Floats, Ints, Scores, State
from agentad.detectors.column_densities import ColumnDensities
from agentad.detectors.robust import as_float32
from agentad.detectors.self_cleaning import SelfCleaning
from agentad.detectors.trimmed_gaussian import TrimmedGaussian
from agentad.modalities.table.layout import Layout

WEIGHTS = np.array([2.0, 2.0, 1.0])
SHARPNESS = 0.5
WIDEST = 200
"""Columns up to which a Gaussian is fitted."""
_LARGEST = 80.0
"""Exponent at which a score is cut."""
_FLAT = 1e-9
"""Least length, and least spread of its logarithm, that says something."""

Pair = tuple[NDArray[np.float32], NDArray[np.float32]]
"""The same rows in standard deviations from the mean, and in interquartile ranges from the median."""


class RobustFusion:
    """Geometric mean of three robust measures. Encoded rows are (n, d), unscaled.

    Args:
        references: most training rows that are cleaned and kept from, drawn at random where there are more.
        keep: share of rows taken to be normal when cleaning.
    """

    held_out: Scores
    uses_layout = True

    def __init__(self, *, references: int = 7000, keep: float = 0.7) -> None:
        self.references = references
        self.keep = keep

    def fit(self, x: Floats, *, groups: Ints | None = None, seed: int = 0, layout: Layout | None = None) -> Self:
        """Clean the rows x (n, d) and score them all.

        Raises:
            InputError: fewer than two rows, or what is kept is of a single group.
        """
        groups = np.arange(len(x)) if groups is None else np.asarray(groups)
        self._cleaned = SelfCleaning(references=self.references, keep=self.keep).fit(
            x, groups=groups, seed=seed, layout=layout
        )
        cleaned = self._cleaned.held_out
        scaled = self._scaled(x)
        self._views = _Views.fit(scaled, cleaned.item)
        measures = np.column_stack([_log(cleaned.item), self._views.measures(scaled)])
        self._middle, upper = np.quantile(measures, (0.5, 0.75), axis=0)
        spread = upper - self._middle
        self._spread = np.where(spread > _FLAT, spread, 1.0)
        self.held_out = self._fused(cleaned, measures)
        return self

    def score(self, x: Floats) -> Scores:
        """Scores of rows (m, d), each column's contribution, and the denoised row."""
        cleaned = self._cleaned.score(x)
        return self._fused(cleaned, np.column_stack([_log(cleaned.item), self._views.measures(self._scaled(x))]))

    def _scaled(self, x: Floats) -> Pair:
        first, second = (scaling.apply(x) for scaling in self._cleaned.scalings)
        return first, second

    def _fused(self, cleaned: Scores, measures: Floats) -> Scores:
        z = (measures - self._middle) / self._spread
        item = np.exp(np.clip(SHARPNESS * (z @ WEIGHTS) / WEIGHTS.sum(), -_LARGEST, _LARGEST))
        assert cleaned.local is not None  # noqa: S101  self-cleaning names columns
        share = cleaned.local / np.maximum(cleaned.local.sum(axis=1, keepdims=True), np.finfo(np.float32).tiny)
        return Scores(item, as_float32(share * item[:, None]), cleaned.expected)

    def state(self) -> State:
        """The cleaned rows, the Gaussian, the densities, and what is usual for each measure."""
        cleaned = self._cleaned.state()
        own = {"middle": self._middle, "spread": self._spread}
        return State(cleaned.arrays | self._views.arrays() | own, cleaned.settings)

    @classmethod
    def restore(cls, state: State) -> Self:
        """The detector that `state` came from, without `held_out`."""
        a = state.arrays
        self = cls(**state.settings)
        self._cleaned = SelfCleaning.restore(state)
        self._views = _Views.restore(a)
        self._middle, self._spread = a["middle"], a["spread"]
        return self


@dataclass(frozen=True)
class _Views:
    """What is learned without neighbours."""

    whole: TrimmedGaussian | None
    """None where there are too many columns for one."""
    columns: ColumnDensities

    @classmethod
    def fit(cls, scaled: Pair, away: Floats) -> Self:
        z, q = scaled
        return cls(TrimmedGaussian.fit(q, away) if q.shape[1] <= WIDEST else None, ColumnDensities.fit(z))

    def measures(self, scaled: Pair) -> NDArray[np.float64]:
        """(m, 2) logarithms of rows under both scalings."""
        z, q = scaled
        whole = np.zeros(len(z)) if self.whole is None else _log(self.whole.lengths(q))
        return np.column_stack([whole, self.columns.surprise(z)])

    def arrays(self) -> dict[str, NDArray[Any]]:
        whole = {} if self.whole is None else {"mean": self.whole.mean, "root": self.whole.root}
        return whole | {f"column_{name}": array for name, array in self.columns.arrays().items()}

    @classmethod
    def restore(cls, a: dict[str, NDArray[Any]]) -> Self:
        columns = {name.removeprefix("column_"): array for name, array in a.items() if name.startswith("column_")}
        whole = TrimmedGaussian(a["mean"], a["root"]) if "root" in a else None
        return cls(whole, ColumnDensities(**columns))


def _log(lengths: Floats) -> NDArray[np.float64]:
    return np.log(np.maximum(lengths, _FLAT))
