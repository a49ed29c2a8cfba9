"""Numbers and truth values, in their own units."""

from __future__ import annotations

from typing import Literal, Self

import numpy as np
import polars as pl

from agentad.modalities.table.parts.base import Floats, Mask, Part, needs_flag
from agentad.modalities.table.values import Style, finite, number_style, numbers, truths

LARGEST = 1e15
"""Beyond it float32 leaves no room to add up squared differences; `memory.neighbours` takes no more."""
_FAR = 1e3


class Number(Part):
    """One encoded column: the value less `offset`."""

    kind: Literal["number"] = "number"
    truth: bool
    """Also read true, false, yes and no."""
    style: Style
    offset: float
    """0, or the median where values lie so far from 0 that float32 would blur them."""
    fill: float
    """Training median, for missing values."""

    @property
    def width(self) -> int:
        """One."""
        return 1

    @classmethod
    def fit(cls, column: str, series: pl.Series, *, truth: bool) -> Self:
        """Learn spelling, offset and median."""
        style = number_style(series)
        values = finite(truths(series) if truth else numbers(series, style))
        low, median, high = (values.quantile(q, "nearest") or 0.0 for q in (0.25, 0.5, 0.75))
        offset = median if abs(median) > _FAR * (high - low) and abs(median) > _FAR else 0.0
        return cls(
            column=column,
            flag=needs_flag(values.is_null()),
            truth=truth,
            style=style,
            offset=offset,
            fill=median,
        )

    def encode(self, series: pl.Series) -> tuple[Floats, Mask]:
        """See `Part.encode`. Infinite values are missing; beyond ±1e15 values are clipped."""
        values = finite(truths(series) if self.truth else numbers(series, self.style))
        out = (values.fill_null(self.fill) - self.offset).clip(-LARGEST, LARGEST).to_numpy()
        return out[:, None], values.is_null().to_numpy()

    def text(self, values: Floats) -> str:
        """The number to six digits."""
        return f"{np.float64(values[0]) + self.offset:.6g}"
