"""What a generator of rows is: fitted on normal rows and the few anomalous ones there are, in encoded space."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from agentad.detectors.robust import Scaling, as_float32, scalings

Floats = NDArray[np.floating[Any]]
Floats32 = NDArray[np.float32]
Ints = NDArray[np.int64]
Hold = tuple[NDArray[np.bool_], Floats32]
"""Which encoded columns (d,) a condition fixes, and rows (n, d) that hold their values."""


@dataclass(frozen=True)
class Drawn:
    """n invented rows and the real ones they were made from."""

    rows: Floats32
    """(n, d) in the encoder's units."""
    anomaly: Ints
    """(n,) index of the real anomaly a row came from, -1 for none."""
    normal: Ints
    """(n,) index of the normal row it came from, -1 for none."""


class RowGenerator(Protocol):
    """A way to invent anomalous rows. Constructor parameters are keyword-only and are those of the tool card."""

    fewest: int
    """Real anomalies it needs."""

    def fit(self, normal: Floats, anomalous: Floats, *, seed: int = 0) -> Self:
        """Learn from encoded normal rows (n, d) and anomalous ones (k, d)."""
        ...

    def sample(self, n: int, *, seed: int = 0, hold: Hold | None = None) -> Drawn:
        """Invent `n` rows. The same seed gives the same rows."""
        ...


@dataclass(frozen=True)
class Space:
    """Encoded rows as vectors of about unit variance, far values drawn in.

    Beyond `NEAR` standard deviations u becomes sign(u) (NEAR + ln(1 + |u| − NEAR)): a network that has learned rows of
    unit variance cannot follow an anomaly to a hundred deviations, and rows decoded from there come back exactly.
    """

    scaling: Scaling

    NEAR = 4.0

    @classmethod
    def of(cls, rows: Floats) -> Space:
        """The space of normal rows (n, d)."""
        return cls(scalings(rows)[0])

    def enter(self, rows: Floats) -> Floats32:
        """(n, d) in the encoder's units to (n, d)."""
        u = self.scaling.apply(rows).astype(np.float64)
        beyond = np.maximum(np.abs(u) - self.NEAR, 0)
        return np.asarray(np.sign(u) * (np.minimum(np.abs(u), self.NEAR) + np.log1p(beyond)), dtype=np.float32)

    def leave(self, v: Floats) -> Floats32:
        """The way back."""
        far = np.abs(v.astype(np.float64))
        beyond = np.expm1(np.clip(far - self.NEAR, 0, 30))
        return as_float32(np.sign(v) * (np.minimum(far, self.NEAR) + beyond) * self.scaling.scale + self.scaling.centre)


def put_back(rows: Floats32, hold: Hold | None) -> Floats32:
    """`rows` with the columns that `hold` gives."""
    return rows if hold is None else np.where(hold[0], hold[1], rows)
