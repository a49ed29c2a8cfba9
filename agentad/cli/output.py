"""Where output goes: one document on standard output, everything else on standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from agentad.tools.road import Progress as Report
from agentad.tools.road import silent


def document(content: Any) -> None:
    """Print one JSON document."""
    sys.stdout.write(json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def line(text: str = "") -> None:
    """Print one line for people."""
    sys.stdout.write(text + "\n")


def table(headings: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    """Print aligned columns; the last one wraps as the terminal does."""
    widths = [max(len(row[i]) for row in [headings, *rows]) for i in range(len(headings) - 1)]
    for row in [headings, *rows]:
        line("  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]).rstrip())


@contextmanager
def progress() -> Iterator[Report]:
    """A callback that draws progress bars on standard error; silent when that is not a terminal."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield silent
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bars:
        known: dict[str, TaskID] = {}

        def show(what: str, done: int, total: int) -> None:
            if what not in known:
                known[what] = bars.add_task(what, total=total)
            bars.update(known[what], completed=done, total=total)

        yield show
