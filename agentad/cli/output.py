"""Where output goes: one document on standard output, everything else on standard error."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from agentad.errors import InputError
from agentad.modalities.shown import shown as escaped
from agentad.tools.road import Progress as Report
from agentad.tools.road import silent

LONGEST_LINE = 4_000
"""Characters."""


class ReaderGone(Exception):
    """Whoever read our output went away, as `| head` does. Nothing is wrong."""


class CannotPrint(InputError):
    """Standard output takes no more, for example because it is a file on a full disk."""


def document(content: Any) -> None:
    """Print one JSON document."""
    _write(json.dumps(content, indent=1, ensure_ascii=_encoding() != "utf-8") + "\n")


def line(text: str = "") -> None:
    """Print one line for people; what the terminal's encoding lacks appears as escapes."""
    _write(text.encode(_encoding(), "backslashreplace").decode(_encoding()) + "\n")


def failure(message: str, code: int, *, said: bool, shown: bool = False) -> int:
    """Tell what went wrong on standard error, and in a JSON document if one was asked for; returns `code`.

    `shown`: people have been told already.
    """
    message = "\n".join(escaped(text, LONGEST_LINE) for text in message.split("\n"))
    if not shown:
        sys.stderr.write(f"error: {message}\n")
    if said:
        document({"error": message, "exit_code": code})
    return code


def flush() -> None:
    """Hand everything printed to the reader, as long as somebody can be told that it failed."""
    _write("")


def _encoding() -> str:
    return (sys.stdout.encoding or "utf-8").lower()


def _write(text: str) -> None:
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        # what is still in the buffer would fail again when the interpreter closes it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            raise ReaderGone from error
        raise CannotPrint(f"standard output cannot be written: {error.strerror}") from error


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
