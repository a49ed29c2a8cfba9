"""Dates and times: how far along, and where in the day and the week."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal, Self

import numpy as np
import polars as pl

from agentad.modalities.table.parts.base import Allowed, Floats, Mask, Part, needs_flag
from agentad.modalities.table.values import date_formats, moments

DAY = 86_400_000_000
"""Microseconds."""
_EPOCH = datetime(1970, 1, 1)  # moments carry no zone anywhere here
_EARLIEST, _LATEST = -700_000, 2_900_000
"""Days since 1970: the years 53 to 9909, within what dates and their formats can hold."""


class Moment(Part):
    """Days since the first training moment; sine and cosine of the hour and of the weekday, as far as these vary."""

    kind: Literal["moment"] = "moment"
    form: str | None
    """Format of texts."""
    origin: int
    """Microseconds since 1970."""
    hour: bool
    weekday: bool
    fill: int
    """Microseconds since 1970: the training median, for missing values."""

    @property
    def width(self) -> int:
        """1, 3 or 5."""
        return 1 + 2 * self.hour + 2 * self.weekday

    @classmethod
    def fit(cls, column: str, series: pl.Series) -> Self:
        """Learn the format, the first moment, and what varies."""
        form = None
        if series.dtype == pl.String:
            forms = date_formats(series.drop_nulls(), share=0.5)
            form = forms[0] if forms else None
        read = moments(series, form)
        stamps = read.drop_nulls().to_physical().to_numpy()
        some = stamps if len(stamps) else np.zeros(1, np.int64)
        return cls(
            column=column,
            flag=needs_flag(read.is_null()),
            form=form,
            origin=int(some.min()),
            hour=len(np.unique(some % DAY)) > 1,
            weekday=len(np.unique(some // DAY % 7)) > 1 and int(some.max() - some.min()) >= 7 * DAY,
            fill=int(np.sort(some)[len(some) // 2]),
        )

    def encode(self, series: pl.Series) -> tuple[Floats, Mask]:
        """See `Part.encode`."""
        read = moments(series, self.form)
        stamps = read.to_physical().fill_null(self.fill).to_numpy().astype(np.int64)
        out: list[Floats] = [(stamps - self.origin) / DAY]
        if self.hour:
            out += _cycle(stamps % DAY / DAY)
        if self.weekday:
            out += _cycle(stamps // DAY % 7 / 7)
        return np.column_stack(out), read.is_null().to_numpy()

    def text(self, values: Floats) -> str:
        """The moment to the minute; to the day where the hour never varied."""
        try:
            moment = _EPOCH + timedelta(microseconds=self.origin, days=float(values[0]))
        except OverflowError:
            return f"{values[0]:.6g} days after {_EPOCH + timedelta(microseconds=self.origin):%Y-%m-%d}"
        return f"{moment:%Y-%m-%d %H:%M}" if self.hour else f"{moment:%Y-%m-%d}"

    def decode(self, values: Floats, allowed: Allowed, generator: np.random.Generator) -> pl.Series:
        """See `Part.decode`. The moment nearest to the days passed that has the hour and the weekday, to the second.

        Texts keep the training texts' format.
        """
        stamp = np.clip(self.origin / DAY + values[:, 0].astype(np.float64), _EARLIEST, _LATEST)
        time = _turn(values[:, 1:3]) if self.hour else np.full(len(stamp), self.origin % DAY / DAY)
        day = np.round(stamp - time)
        if self.weekday:
            wanted = np.round(7 * _turn(values[:, -2:])) % 7
            day += (wanted - day + 3) % 7 - 3  # the nearest such weekday
        seconds = np.round((day + time) * (DAY // 1_000_000)).astype(np.int64)
        found = pl.Series(self.column, seconds * 1_000_000).cast(pl.Datetime("us"))
        return found if self.form is None else found.dt.to_string(self.form)


def _turn(circle: Floats) -> Floats:
    """Sine and cosine (n, 2) to the part of a turn, in [0, 1)."""
    turn: Floats = np.arctan2(circle[:, 0].astype(np.float64), circle[:, 1]) / (2 * np.pi) % 1
    return turn


def _cycle(turn: Floats) -> list[Floats]:
    return [np.sin(2 * np.pi * turn), np.cos(2 * np.pi * turn)]
