"""What every table file offers, whatever its format: names, and frames in row order as often as asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import polars as pl

from agentad.errors import UnreadableData
from agentad.flow import Skipped
from agentad.modalities.shown import shown
from agentad.modalities.table.files import LISTED

FRAME_ROWS = 65_536
MAX_COLUMNS = 10_000
MAX_ROWS = 500_000_000
"""Items are held in memory, one entry a row."""


class Losses:
    """Rows that could not be read: counted, the first of them listed."""

    def __init__(self) -> None:
        self.count = 0
        self.listed: list[Skipped] = []

    def add(self, path: str, reason: str) -> None:
        """One more."""
        self.count += 1
        if len(self.listed) < LISTED:
            self.listed.append(Skipped(path=path, reason=reason))


class Source(Protocol):
    """One table file. Frames are clean (see `values.clean`) and have all `names` as columns, in that order."""

    path: Path
    names: tuple[str, ...]
    notes: tuple[str, ...]
    delimiter: str | None
    encoding: str | None

    def frames(self, losses: Losses | None = None) -> Iterator[pl.DataFrame]:
        """At most `FRAME_ROWS` rows at a time. Rows that cannot be read are told to `losses`.

        Raises:
            UnreadableData: the file breaks off or is not what its name says.
        """
        ...


def check_width(path: Path, width: int) -> None:
    """Refuse what is wider than any table."""
    if width > MAX_COLUMNS:
        raise UnreadableData(
            f"{shown(path)} has {width:,} columns; at most {MAX_COLUMNS:,} are read. "
            "Keep the columns that matter, or swap rows and columns."
        )


def repeated_note(cells: Sequence[str]) -> tuple[str, ...]:
    """Say which column names occur more than once."""
    often = [name for name, count in Counter(cell.strip() for cell in cells).items() if name and count > 1]
    if not often:
        return ()
    listed = ", ".join(shown(name, 40) for name in often[:5]) + (", …" if len(often) > 5 else "")
    return (f"Column names that occur more than once were numbered: {listed}.",)
