"""Putting measures of any scale together: how rarely do normal rows reach this much of each?

With a_1..a_n the values of one measure on normal rows, held out, a row's value a counts

    −ln p + ln(1 + max(0, (a − q95) / (q95 − median)))        p = (1 + #{i: a_i ≥ a}) / (n + 1)

The first term is Fisher's way of combining p-values, and conformal. It ends at ln(n + 1), beyond everything seen; from
the 95 % quantile on the second term goes on, slowly, so that no single measure drowns the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from agentad.detectors.base import Floats
from agentad.detectors.robust import centre_and_spread


@dataclass(frozen=True)
class Tails:
    """Each of t measures on n normal rows, in ascending order: (n, t). Higher = more anomalous."""

    usual: NDArray[np.float64]

    @classmethod
    def of(cls, measures: Floats) -> Self:
        """Those of the measures (n, t) of held-out normal rows."""
        return cls(np.sort(np.asarray(measures, dtype=np.float64), axis=0))

    @cached_property
    def _scale(self) -> tuple[Floats, Floats]:
        """Once for all batches: it sorts all normal rows."""
        return centre_and_spread(self.usual)

    def rarity(self, measures: Floats, *, included: NDArray[np.bool_]) -> NDArray[np.float64]:
        """What each of the measures (m, t) counts: (m, t).

        Args:
            measures: higher = more anomalous.
            included: (m,) which are of the normal rows themselves, that do not judge themselves.
        """
        n = len(self.usual)
        below = np.stack(
            [np.searchsorted(own, a, side="left") for own, a in zip(self.usual.T, measures.T, strict=True)], axis=1
        )
        other = np.where(included, 0, 1)[:, None]
        p = (n - below + other) / (n + other)
        median, spread = self._scale
        beyond = np.maximum((measures - median) / spread - 1, 0)
        return np.asarray(np.log1p(beyond) - np.log(p))
