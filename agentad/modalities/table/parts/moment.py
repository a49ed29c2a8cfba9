"""Dates and times: how far along, and where in the day and the week."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal, Self

import numpy as np
import polars as pl

from agentad.modalities.table.parts.base import Floats, Mask, Part, needs_flag
from agentad.modalities.table.values import date_formats, moments

DAY = 86_400_000_000
"""Microseconds."""
_EPOCH = datetime(1970, 1, 1)  # moments carry no zone anywhere here


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


def _cycle(turn: Floats) -> list[Floats]:
    return [np.sin(2 * np.pi * turn), np.cos(2 * np.pi * turn)]
