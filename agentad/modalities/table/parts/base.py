"""What the parts share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

Floats = NDArray[np.floating[Any]]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Allowed:
    """How far decoded numbers may go."""

    stretch: float
    """Beyond the known range, in units of its width; never to a sign that no known value has."""
    seen: Floats
    """(k, width) encoded values that are known to be valid besides those of training."""


class Part(BaseModel):
    """One source column as numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    column: str
    flag: bool
    """Missing values have an encoded column of their own, because training had enough of them to learn from."""

    @property
    def width(self) -> int:
        """Encoded columns, the flag not counted."""
        raise NotImplementedError

    @property
    def categorical(self) -> bool:
        """The numbers are levels: a column each, one of which is 1, or a single one that is 1 for yes and 0 for no."""
        return False

    def encode(self, series: pl.Series) -> tuple[Floats, Mask]:
        """(n, width) numbers, and (n,) where the value was missing or unreadable; typical numbers stand in there."""
        raise NotImplementedError

    def text(self, values: Floats) -> str:
        """What (width,) numbers, seen or expected, mean in the source column's own terms."""
        raise NotImplementedError

    def decode(self, values: Floats, allowed: Allowed, generator: np.random.Generator) -> pl.Series:
        """The nearest valid cells to (n, width) numbers, none missing; `generator` decides between equals."""
        raise NotImplementedError


def needs_flag(missing: pl.Series) -> bool:
    """Whether more than one training value in a thousand is missing."""
    return int(missing.sum()) > 0.001 * len(missing)


def as_text(series: pl.Series) -> pl.Series:
    """Any column as text; whole floats without a decimal point, so that 1 and 1.0 are one level."""
    if series.dtype.is_float():
        whole = (series == series.round()) & (series.abs() < 2.0**53)
        return (
            series.cast(pl.Int64, strict=False).cast(pl.String).zip_with(whole.fill_null(True), series.cast(pl.String))
        )
    return series.cast(pl.String)
