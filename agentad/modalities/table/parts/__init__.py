"""How one column becomes numbers: one class per kind of column, closed and JSON-serialisable."""

from __future__ import annotations

from typing import Annotated

import polars as pl
from pydantic import Field, TypeAdapter

from agentad.flow import Column
from agentad.modalities.table.kinds import LEFT_OUT
from agentad.modalities.table.parts.levels import Frequency, Levels, levels_or_frequency
from agentad.modalities.table.parts.moment import Moment
from agentad.modalities.table.parts.number import Number
from agentad.modalities.table.parts.words import Words

AnyPart = Annotated[Number | Levels | Frequency | Moment | Words, Field(discriminator="kind")]
PARTS: TypeAdapter[tuple[AnyPart, ...]] = TypeAdapter(tuple[AnyPart, ...])


def fit_part(column: Column, series: pl.Series) -> AnyPart | None:
    """The part for a column, learned from training values; None for the kinds in `LEFT_OUT` and for copies."""
    if column.kind in LEFT_OUT or column.same_as is not None:
        return None
    if column.kind == "datetime":
        return Moment.fit(column.name, series)
    if column.kind == "text":
        return Words.fit(column.name, series)
    if column.kind == "categorical":
        return levels_or_frequency(column.name, series)
    return Number.fit(column.name, series, truth=column.kind == "boolean")


__all__ = ["PARTS", "AnyPart", "Frequency", "Levels", "Moment", "Number", "Words", "fit_part"]
