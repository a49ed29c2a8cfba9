"""From how far denoising moves a row, at several noise levels, to one score and its columns.

    score = Σ_l (a_l − median a_l) / (95 % quantile of a_l − median a_l)        a_l = ‖r_l‖₂

for the moves r_l of a row at the levels l, with medians and quantiles over held-out training rows. A column's
contribution is its part of Σ_l a_l / (95 % quantile − median), in proportion to its square: the contributions sum to
the score up to a constant.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from agentad.detectors.base import Floats, Scores
from agentad.detectors.robust import Scaling, as_float32, centre_and_spread


@dataclass(frozen=True)
class MoveScale:
    """What is usual for the length of a move at each level: (l,), (l,)."""

    median: Floats
    spread: Floats

    @classmethod
    def of(cls, moves: Floats) -> Self:
        """Measured on the moves (n, l, d) of held-out rows."""
        return cls(*centre_and_spread(np.linalg.norm(moves, axis=2)))

    def scores(self, moves: Floats, denoised: Floats, scaling: Scaling) -> Scores:
        """Scores of rows with these moves (n, l, d), expected where they are denoised to (n, d) in scaled units."""
        lengths = np.linalg.norm(moves, axis=2)
        shares = np.divide(moves**2, lengths[:, :, None], out=np.zeros_like(moves), where=lengths[:, :, None] > 0)
        return Scores(
            item=((lengths - self.median) / self.spread).sum(axis=1),
            local=as_float32((shares / self.spread[:, None]).sum(axis=1)),
            expected=scaling.undo(denoised),
        )

    def arrays(self) -> dict[str, NDArray[Any]]:
        """For safetensors."""
        return {"median": self.median, "spread": self.spread}
