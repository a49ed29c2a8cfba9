"""Numbers and truth values, in their own units; by their magnitude where these differ too much for one unit."""

from __future__ import annotations

from typing import Literal, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from agentad.modalities.table.parts.base import Allowed, Floats, Mask, Part, needs_flag
from agentad.modalities.table.values import Style, finite, number_style, numbers, truths

LARGEST = 1e15
"""Beyond it float32 leaves no room to add up squared differences; `memory.neighbours` takes no more."""
PLACES = 6
WILD = 300.0
"""Ratio of the 95 % to the 5 % quantile of magnitudes above which numbers are encoded by their magnitude."""
FEWEST = 20
"""Numbers below which quantiles say little."""
BELOW = 1e-6
"""Magnitudes this small beside the 5 % quantile blur into zero."""
_FAR = 1e3
_LARGEST_POWER = 709.0


class Number(Part):
    """One encoded column: the value less `offset`, or sign(x) · log(1 + |x| / unit) where there is a `unit`.

    Beside values between 1e6 and 1e12, in one unit all that is below 1e9 would be the same.
    """

    kind: Literal["number"] = "number"
    truth: bool
    """Also read true, false, yes and no."""
    style: Style
    offset: float
    """0, or the median where values lie so far from 0 that float32 would blur them."""
    unit: float | None = None
    """What magnitudes are counted in, None where they are of one order."""
    fill: float
    """Training median, for missing values."""
    low: float | None = None
    """Training range, None without a finite value."""
    high: float | None = None
    decimals: int | None = None
    """Places after the point that hold every training value, None where more than `PLACES` are used."""
    spelled: tuple[str, str] | None = None
    """How the training cells spell no and yes, where they are truth values; empty for typed ones."""

    @property
    def width(self) -> int:
        """One."""
        return 1

    @property
    def categorical(self) -> bool:
        """Truth values are."""
        return self.truth

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
            unit=_unit(values.drop_nulls().to_numpy()),
            fill=median,
            low=_finite(values.min()),
            high=_finite(values.max()),
            decimals=_decimals(values.drop_nulls().to_numpy()),
            spelled=_spelling(series) if truth else None,
        )

    def encode(self, series: pl.Series) -> tuple[Floats, Mask]:
        """See `Part.encode`. Infinite values are missing; without a unit, values beyond ±1e15 are clipped."""
        values = finite(truths(series) if self.truth else numbers(series, self.style))
        filled = values.fill_null(self.fill).to_numpy()
        if self.unit is None:
            out = np.clip(filled - self.offset, -LARGEST, LARGEST)
        else:
            with np.errstate(divide="ignore"):  # the logarithm of 0
                out = np.sign(filled) * np.logaddexp(0, np.log(np.abs(filled)) - np.log(self.unit))
        return out[:, None], values.is_null().to_numpy()

    def _number(self, encoded: Floats) -> NDArray[np.float64]:
        """Encoded values (n,) back in the column's unit."""
        if self.unit is None:
            return encoded.astype(np.float64) + self.offset
        power = np.minimum(np.abs(encoded.astype(np.float64)), _LARGEST_POWER - max(np.log(self.unit), 0))
        return np.asarray(np.sign(encoded) * self.unit * np.expm1(power))

    def text(self, values: Floats) -> str:
        """The number to six digits, and no more places than the column has."""
        value = float(self._number(values[:1])[0])
        return f"{value if self.decimals is None else round(value, self.decimals):.6g}"

    def decode(self, values: Floats, allowed: Allowed, generator: np.random.Generator) -> pl.Series:
        """See `Part.decode`. Whole numbers are integers; truth values are as in training."""
        low, high = self._valid(allowed)
        found = np.clip(self._number(values[:, 0]), low, high)
        if self.decimals is not None:
            found = np.clip(found.round(self.decimals), low, high)
        if self.spelled is not None:
            return truth_of(self.column, found > 0.5, self.spelled)
        whole = self.decimals == 0 and float(np.abs(found).max(initial=0)) < 2.0**53
        return pl.Series(self.column, found.astype(np.int64) if whole else found)

    def _valid(self, allowed: Allowed) -> tuple[float, float]:
        if self.low is None or self.high is None:
            return self.fill, self.fill
        seen = self._number(allowed.seen[:, 0])
        least, most = min([self.low, *seen]), max([self.high, *seen])
        room = 0.0 if self.truth else allowed.stretch * (most - least)
        low, high = least - room, most + room
        if self.decimals is not None:  # a bound is a valid value too
            low, high = (round(bound, self.decimals) for bound in (low, high))
        return (max(low, 0.0) if least >= 0 else low), (min(high, 0.0) if most <= 0 else high)


def _spelling(series: pl.Series) -> tuple[str, str] | None:
    """The commonest cell of each truth value, None for numbers."""
    if series.dtype == pl.Boolean:
        return "", ""
    if series.dtype != pl.String or numbers(series).is_not_null().any():
        return None
    told = truths(series)
    no, yes = (series.filter(told == value).value_counts(sort=True)[series.name] for value in (0.0, 1.0))
    return (str(no[0]), str(yes[0])) if len(no) and len(yes) else None


def truth_of(name: str, yes: Mask, spelled: tuple[str, str]) -> pl.Series:
    """(n,) truth values as a column spells them."""
    if spelled == ("", ""):
        return pl.Series(name, yes)
    return pl.Series(name, np.array(spelled, dtype=object)[yes.astype(int)], pl.String)


def _unit(values: Floats) -> float | None:
    """Far below the small magnitudes, for numbers of one sign and wild size."""
    if len(values) < FEWEST:
        return None
    least, most = np.quantile(values, (0.01, 0.99), method="nearest")
    if np.sign(least) * np.sign(most) <= 0:  # magnitudes around 0 mean little; a logarithm would make much of them
        return None
    low, high = np.quantile(np.abs(values), (0.05, 0.95), method="nearest")
    return max(float(low * BELOW), np.finfo(np.float64).tiny) if high / WILD > low else None


def _finite(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _decimals(values: Floats) -> int | None:
    for places in range(PLACES + 1):
        if np.array_equal(values.round(places), values):
            return places
    return None
