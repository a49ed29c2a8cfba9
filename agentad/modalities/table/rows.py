"""Rows in memory with their ids: what rows are invented from, and what they become."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl
from numpy.typing import NDArray

from agentad.flow import Column


@dataclass(frozen=True)
class Rows:
    """n rows of a table, cells as they are on disk."""

    frame: pl.DataFrame
    id: tuple[str, ...]
    """(n,)"""

    def __len__(self) -> int:
        return len(self.id)

    def take(self, index: NDArray[Any]) -> Rows:
        """The rows at `index` (integers), in that order."""
        return Rows(self.frame[index], tuple(self.id[i] for i in index))

    def joined(self, other: Rows) -> Rows:
        """These rows, then the others."""
        return Rows(pl.concat([self.frame, other.frame], how="vertical_relaxed"), (*self.id, *other.id))


def completed(frame: pl.DataFrame, like: pl.DataFrame, columns: Sequence[Column]) -> pl.DataFrame:
    """Columns that no encoder learns, in the table's order: constants and copies as they are, others missing."""
    constant = {column.name for column in columns if column.kind == "constant"}
    source = {column.name: column.same_as or column.name for column in columns}
    made = [
        frame[source[name]].alias(name)
        if source[name] in frame.columns
        else _filled(like[name], len(frame), known=name in constant)
        for name in like.columns
    ]
    return pl.DataFrame(made)


def _filled(series: pl.Series, n: int, *, known: bool) -> pl.Series:
    value = series[0] if known and len(series) else None
    return pl.Series(series.name, [value] * n, dtype=series.dtype)
