"""Anomalous rows by giving to normal rows what makes a real anomaly anomalous, under exact diffusion models.

Nothing is trained. The normal rows are known to `agentad.detectors.closed_form_diffusion`, which says of a real anomaly
how rare it is and what each column adds to that. There are two ways to vary an anomaly.

Another normal row with the same fault. The columns are kept that make up 80 to 100 % of the anomaly's rarity, and a
random part of the others; the rest comes from any normal row. Half of the rows of an anomaly are made so, if it is as
rare as at most `RARE` of the normal rows. One that is not has its fault in no column that the models could name.

Between anomalies. A point at most half of the way to another real anomaly, which is the anomaly itself if it is alone.

Every row is then diffused: noise of deviation σ is added, log-uniform over a decade, so that what is learned from the
rows is smooth at every scale. One that comes out both more ordinary than its anomaly and as ordinary as 95 % of the
normal rows is drawn again, three times at most.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from agentad.detectors.closed_form_diffusion import ClosedFormDiffusion
from agentad.detectors.robust import scalings
from agentad.errors import InputError
from agentad.generators.base import Drawn, Floats, Hold, Ints, put_back
from agentad.generators.controls import dealt

RARE = 0.05
"""Share of normal rows that may be as rare as an anomaly whose columns are to be believed."""
LEAST_EXPLAINED = 0.8
"""Part of an anomaly's rarity that the columns it keeps make up."""
_REFERENCES = 5000
_ORDINARY = 0.95
_ROUNDS = 4


@dataclass(frozen=True)
class _Faults:
    """k real anomalies as the models see them, in standard deviations of the normal rows."""

    rows: NDArray[np.float64]
    """(k, d)"""
    share: NDArray[np.float64]
    """(k, d) of the rarity, by column"""
    found: NDArray[np.bool_]
    """(k,) whether they are rare."""
    least: NDArray[np.float64]
    """(k,) score that a row made of one has to reach."""


class TransplantedRows:
    """Normal rows with the fault of a real anomaly, and points between anomalies, diffused.

    Args:
        low: least deviation σ of the noise, in standard deviations of the normal rows.
        high: greatest.
    """

    fewest = 1

    def __init__(self, *, low: float = 0.1, high: float = 1.0) -> None:
        self.low, self.high = low, high

    def fit(self, normal: Floats, anomalous: Floats, *, seed: int = 0) -> Self:
        """Let at most 5,000 of the normal rows judge the anomalies.

        Raises:
            InputError: no anomaly, or deviations that are no range.
        """
        if not len(anomalous):
            raise InputError("a fault is taken from real anomalies and there is none; use neighbour-rows")
        if not 0 < self.low <= self.high:
            raise InputError(f"low {self.low:g}, high {self.high:g}: give deviations above 0, the lower one first")
        self._chosen = np.sort(np.random.default_rng(seed).permutation(len(normal))[:_REFERENCES])
        self._scaling = scalings(normal)[0]
        self._models = ClosedFormDiffusion(references=_REFERENCES).fit(normal[self._chosen], seed=seed)
        self._normal = self._scaling.apply(normal[self._chosen])
        self._faults = self._seen(anomalous)
        return self

    def _seen(self, anomalous: Floats) -> _Faults:
        usual, judged = self._models.held_out.item, self._models.score(anomalous)
        assert judged.local is not None  # noqa: S101  these models name columns
        rows = self._scaling.apply(anomalous)
        total = judged.local.sum(axis=1, keepdims=True)
        return _Faults(
            rows=rows.astype(np.float64),
            share=np.divide(judged.local, total, out=np.zeros(rows.shape), where=total > 0),
            found=judged.item >= np.quantile(usual, 1 - RARE),
            least=np.minimum(judged.item, np.quantile(usual, _ORDINARY)),
        )

    def sample(self, n: int, *, seed: int = 0, hold: Hold | None = None) -> Drawn:
        """See `RowGenerator.sample`."""
        generator = np.random.default_rng(seed)
        parent = dealt(n, len(self._faults.rows), generator)
        rows, donor = np.empty((n, self._normal.shape[1]), dtype=np.float32), np.full(n, -1)
        left = np.arange(n)
        for _ in range(_ROUNDS):
            made, donor[left] = self._drawn(parent[left], generator)
            held = None if hold is None else (hold[0], hold[1][left])
            rows[left] = put_back(self._scaling.undo(made), held)
            # a hair below: an anomaly made of nothing but held columns scores exactly what it has to
            ordinary = self._models.score(rows[left]).item < 0.999 * self._faults.least[parent[left]]
            left = left[ordinary]
            if not len(left):
                break
        return Drawn(rows, parent, np.where(donor < 0, -1, self._chosen[donor]))

    def _drawn(self, parent: Ints, generator: np.random.Generator) -> tuple[NDArray[np.float64], Ints]:
        """A row for each parent (n,), in scale units, and the normal row it stands on, -1 for none."""
        n, rows = len(parent), self._faults.rows
        transplanted = (generator.permutation(n) < n // 2) & self._faults.found[parent]
        donor = generator.integers(len(self._normal), size=n)
        grafted = np.where(self._kept(parent, generator), rows[parent], self._normal[donor])
        made = np.where(transplanted[:, None], grafted, self._between(parent, generator))
        sigma = np.exp(generator.uniform(np.log(self.low), np.log(self.high), (n, 1)))
        return made + sigma * generator.standard_normal(made.shape), np.where(transplanted, donor, -1)

    def _kept(self, parent: Ints, generator: np.random.Generator) -> NDArray[np.bool_]:
        """(n, d) the columns that stay the anomaly's: its worst, and a random part of the others."""
        share = self._faults.share[parent]
        order = np.argsort(-share, axis=1, kind="stable")
        sorted_share = np.take_along_axis(share, order, axis=1)
        before = np.cumsum(sorted_share, axis=1) - sorted_share
        worst = np.empty(share.shape, dtype=bool)
        np.put_along_axis(worst, order, before < generator.uniform(LEAST_EXPLAINED, 1, (len(parent), 1)), axis=1)
        return worst | (generator.uniform(size=share.shape) < generator.uniform(size=(len(parent), 1)))

    def _between(self, parent: Ints, generator: np.random.Generator) -> NDArray[np.float64]:
        rows = self._faults.rows
        other = generator.integers(len(rows), size=len(parent))
        return rows[parent] + generator.uniform(0, 0.5, (len(parent), 1)) * (rows[other] - rows[parent])
