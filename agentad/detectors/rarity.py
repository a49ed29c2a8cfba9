"""How rare a score is among held-out normal scores, on a scale that all parts of a fused detector share.

Notation: N held-out scores; a score that a share p of them reaches has the rarity log p / log (1 / N).

Rarity is 0 for the commonest and 1 beyond all that were seen, whatever the part's own units. Two parts that both find a
patch unusual agree on this scale, even when one puts it far beyond the other; on linear scales they would not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from agentad.detectors.base import Floats

STEPS = 64
"""Numbers kept of the held-out scores, however many there are."""


@dataclass(frozen=True)
class Rarity:
    """`levels` (STEPS,) ascending: the scores of rarity 0 to 1 in equal steps."""

    levels: NDArray[np.float64]

    @classmethod
    def of(cls, held_out: Floats) -> Self:
        """From held-out scores of normals, of any shape; higher = more anomalous."""
        shares = float(max(held_out.size, 2)) ** -np.linspace(0, 1, STEPS)
        return cls(np.quantile(np.asarray(held_out, dtype=np.float64), 1 - shares))

    def rate(self, scores: Floats) -> NDArray[np.float32]:
        """Rarity of each score, 0 to 1, in the shape of `scores`."""
        return np.interp(scores, self.levels, np.linspace(0, 1, STEPS)).astype(np.float32)


def disagreement(rarities: Sequence[Rarity], parts: Sequence[Floats]) -> NDArray[np.float32]:
    """`Scores.doubt` from the scores of two parts or more, each (n, h, w): highest rarity less the lowest.

    0 where the parts agree; 1 where one finds a patch rarer than all held-out ones and another the commonest.
    """
    rated = [rarity.rate(part) for rarity, part in zip(rarities, parts, strict=True)]
    return np.asarray(np.ptp(rated, axis=0), dtype=np.float32)
