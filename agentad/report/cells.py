"""Rows of a table with the cells that drove their scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agentad import flow
from agentad.report.text import clean, figure, whole

COLUMNS = 6
"""Columns shown beside each other; the rest of a row's drivers are listed in words."""
OTHERS = 2
MINOR = 0.05
"""Drivers below this share are not worth words."""
FAINT = 0.01
"""Drivers below this share look like any other cell."""


@dataclass(frozen=True)
class Cell:
    """A value, and what was expected instead where the column drove the score."""

    actual: str
    expected: str = ""
    share: float | None = None
    """Part of the row's score, 0 to 1. None where the column did not drive it."""
    interval: str = ""
    """Where nine in ten such numbers lie, in words; empty where that says no more than `expected`."""
    partner: str = ""
    """The column beside which the value is odd, though ordinary without it."""


@dataclass(frozen=True)
class Grid:
    """The columns that matter to a group of rows, and their cells."""

    columns: tuple[str, ...]
    cells: Mapping[str, tuple[Cell, ...]]
    """By item id, one cell a column."""
    others: Mapping[str, str]
    """By item id, further drivers in words."""


def grid(items: Sequence[flow.ScoredItem], rows: Mapping[str, Mapping[str, str]]) -> Grid:
    """The columns with the largest total share over `items`, largest first, and each item's cells in them.

    The first columns of the rows where nothing is known of what drove a score.
    """
    total: dict[str, float] = {}
    for driver in (d for i in items for d in drivers(i)):
        total[driver.column] = total.get(driver.column, 0.0) + driver.share
    by_share = sorted(total, key=lambda c: (-total[c], c))
    columns = tuple((by_share or list(next(iter(rows.values()), {})))[:COLUMNS])
    cells = {i.id: tuple(_cell(i, c, rows.get(i.id, {})) for c in columns) for i in items}
    return Grid(columns, cells, {i.id: _others(i, columns) for i in items})


def drivers(item: flow.ScoredItem) -> list[flow.ColumnEvidence]:
    """The columns that drove the score, largest share first."""
    columns = [e for e in item.evidence if isinstance(e, flow.ColumnEvidence)]
    return sorted(columns, key=lambda e: -e.share)


def _cell(item: flow.ScoredItem, column: str, row: Mapping[str, str]) -> Cell:
    for driver in drivers(item):
        if driver.column == column and driver.share >= FAINT:
            return Cell(driver.actual, driver.expected, driver.share, interval(driver), driver.partner or "")
    return Cell(row.get(column, ""))


def interval(driver: flow.ColumnEvidence) -> str:
    """`80 to 160`; empty without an interval, or where it is nothing but the expected value."""
    if driver.low is None or driver.high is None or {driver.low, driver.high} == {driver.expected}:
        return ""
    return f"{clean(figure(driver.low), 40)} to {clean(figure(driver.high), 40)}"


def _others(item: flow.ScoredItem, columns: Sequence[str]) -> str:
    rest = [d for d in drivers(item) if d.column not in columns and d.share >= MINOR][:OTHERS]
    return "; ".join(_said(d) for d in rest)


def _said(driver: flow.ColumnEvidence) -> str:
    span = f" ({told})" if (told := interval(driver)) else ""
    beside = f", odd only together with {clean(driver.partner, 40)}" if driver.partner else ""
    value, expected = clean(figure(driver.actual), 40), clean(figure(driver.expected), 40)
    return f"{clean(driver.column, 40)} is {value}, expected {expected}{span}{beside} ({whole(driver.share)})"
