"""What a cell means: missing, a number in one of several spellings, a truth value, a moment."""

from __future__ import annotations

from typing import Literal

import polars as pl

_PLAIN = r"^[ -~]{6,40}$"
"""What is given to the date parser, which panics on some longer characters."""

MISSING = ("", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "-nan", "NULL", "null", "None", "NaT", "?", "-")

Style = Literal["plain", "decimal-comma", "thousands-comma"]
_DECIMAL_COMMA = r"^[+-]?(\d+|\d{1,3}(\.\d{3})+),\d+([eE][+-]?\d+)?$"
_GROUPED_BY_DOT = r"^[+-]?\d{1,3}(\.\d{3})+$"
_THOUSANDS_COMMA = r"^[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d+)?$"

TRUE = ("true", "yes", "t", "y")
FALSE = ("false", "no", "f", "n")

DATE_FORMATS = (
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%dT%H:%M:%S%.f",
    "%Y-%m-%dT%H:%M:%S%.fZ",
    "%+",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%dT%H:%M",
    "%Y-%m-%d",
    "%Y/%m/%d %H:%M:%S%.f",
    "%Y/%m/%d %H:%M",
    "%Y/%m/%d",
    "%m/%d/%Y",
    "%d/%m/%Y",
    "%m/%d/%Y %H:%M:%S%.f",
    "%d/%m/%Y %H:%M:%S%.f",
    "%m/%d/%Y %H:%M",
    "%d/%m/%Y %H:%M",
    "%d.%m.%Y %H:%M:%S%.f",
    "%d.%m.%Y %H:%M",
    "%d.%m.%Y",
    "%d-%m-%Y %H:%M:%S%.f",
    "%d-%m-%Y %H:%M",
    "%d-%m-%Y",
    "%d-%b-%Y",
    "%d %b %Y",
    "%b %d, %Y",
)
"""Tried in this order; of two that fit equally well the earlier wins, so 01/02/2024 is read month first."""


def clean(series: pl.Series) -> pl.Series:
    """A column as the rest of the package expects it: text stripped, one spelling of missing (null), few dtypes."""
    dtype = series.dtype
    if isinstance(dtype, pl.Datetime):
        zoneless = series.dt.convert_time_zone("UTC").dt.replace_time_zone(None) if dtype.time_zone else series
        return zoneless.cast(pl.Datetime("us"))
    if dtype == pl.String:
        text = series.str.strip_chars()
        return text.set(text.is_in(MISSING), None)
    if dtype.is_float():
        return series.cast(pl.Float64).fill_nan(None)
    if dtype.is_decimal():
        return series.cast(pl.Float64)
    if dtype.is_integer() or dtype in (pl.Boolean, pl.Null):
        return series
    if dtype == pl.Date:
        return series.cast(pl.Datetime("us"))
    if dtype == pl.Duration:
        return series.dt.total_microseconds() / 1e6
    return clean(series.cast(pl.String))  # categorical, enum, time of day


def numbers(series: pl.Series, style: Style = "plain") -> pl.Series:
    """The column as float64, null where there is no number. Infinities stay: whoever asks decides."""
    if series.dtype == pl.String:
        return _spelled_plainly(series, style).cast(pl.Float64, strict=False).fill_nan(None)
    if series.dtype == pl.Datetime:
        return pl.Series(series.name, [None] * len(series), dtype=pl.Float64)
    return series.cast(pl.Float64).fill_nan(None)


def finite(values: pl.Series) -> pl.Series:
    """Infinities, and what was too large to be a float, become missing."""
    return values.set(values.is_infinite(), None)


def in_style(text: pl.Series, style: Style) -> pl.Series:
    """(n,) whether each text is a number spelled with commas in this style."""
    return text.str.contains(_DECIMAL_COMMA if style == "decimal-comma" else _THOUSANDS_COMMA)


def surely_decimal(text: pl.Series) -> pl.Series:
    """(n,) whether the comma can only be a decimal one: it is not followed by exactly three digits."""
    return in_style(text, "decimal-comma") & ~in_style(text, "thousands-comma")


def number_style(series: pl.Series) -> Style:
    """How the column's texts spell numbers; `plain` for typed columns.

    Where 1,234 could be either it has thousands: in a column without other numbers the two differ by a factor only.
    """
    if series.dtype != pl.String:
        return "plain"
    odd = series.filter(numbers(series).is_null() & series.is_not_null())
    if surely_decimal(odd).any():
        return "decimal-comma"
    return "thousands-comma" if in_style(odd, "thousands-comma").any() else "plain"


def truths(series: pl.Series) -> pl.Series:
    """The column as 0 and 1; other numbers stay as they are, other texts are null."""
    if series.dtype != pl.String:
        return numbers(series)
    low = series.str.to_lowercase()
    return (
        pl.select(pl.when(low.is_in(TRUE)).then(1.0).when(low.is_in(FALSE)).then(0.0).otherwise(numbers(series)))
        .to_series()
        .alias(series.name)
    )


def moments(series: pl.Series, form: str | None) -> pl.Series:
    """The column as microsecond date-times without a zone, null where `form` does not fit."""
    if series.dtype == pl.Datetime:
        return series
    if series.dtype != pl.String or form is None:
        return pl.Series(series.name, [None] * len(series), dtype=pl.Datetime("us"))
    plain = series.set(~series.str.contains(_PLAIN).fill_null(True), None)
    parsed = plain.str.to_datetime(form, strict=False)
    if getattr(parsed.dtype, "time_zone", None):
        parsed = parsed.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    return parsed.cast(pl.Datetime("us"))


def date_formats(text: pl.Series, share: float = 0.9) -> tuple[str, ...]:
    """Formats that fit at least `share` of these texts, best first."""
    if not len(text) or not text.str.contains(r"\d").all():
        return ()
    fits = [(moments(text, form).count(), -order, form) for order, form in enumerate(DATE_FORMATS)]
    return tuple(form for count, _, form in sorted(fits, reverse=True) if count >= share * len(text))


def _spelled_plainly(text: pl.Series, style: Style) -> pl.Series:
    if style == "decimal-comma":
        grouped = text.str.contains(_DECIMAL_COMMA) | text.str.contains(_GROUPED_BY_DOT)
        swapped = text.str.replace_all(".", "", literal=True).str.replace_all(",", ".", literal=True)
        return swapped.zip_with(grouped.fill_null(False), text)
    if style == "thousands-comma":
        return text.str.replace_all(",", "", literal=True).zip_with(in_style(text, style).fill_null(False), text)
    return text
