"""How a text table is written: encoding, delimiter, header. Guessed from its first mebibyte."""

from __future__ import annotations

import codecs
import csv
import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl
from charset_normalizer import from_bytes

from agentad.errors import UnreadableData
from agentad.modalities.shown import shown
from agentad.modalities.table.values import MISSING, date_formats, in_style, numbers

SAMPLE = 1 << 20
ROWS = 200
DELIMITERS = (",", ";", "\t", "|", " ")
ALONE = "\x1f"
"""Stands in for the delimiter of a table with one column: a character that texts do not hold."""
ENCODINGS = ["cp1252", "latin_1", "cp1250", "cp1251", "koi8_r", "shift_jis", "gb18030", "big5", "euc_kr"]
MAX_NAME = 200
VOTERS = 200
"""Columns looked at to tell whether there is a header."""

_MAGIC = {
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"%PDF": "a PDF",
    b"PK\x03\x04": "a zip archive (an Excel workbook, perhaps: save it as CSV)",
    b"PAR1": "a Parquet file: rename it to .parquet",
    b"\x1f\x8b": "compressed with gzip: rename it to .gz",
    b"\x7fELF": "a program",
    b"SQLite format 3": "an SQLite database",
}


@dataclass(frozen=True)
class Dialect:
    """How to read one text table."""

    encoding: str
    delimiter: str
    header: bool
    first: tuple[str, ...]
    """Cells of the first row, raw."""

    @property
    def names(self) -> tuple[str, ...]:
        """Column names, unique and never empty; numbered from 0 where there is no header."""
        if not self.header:
            return tuple(f"column_{position}" for position in range(len(self.first)))
        return unique_names(self.first)


def sniff(path: Path, head: bytes, *, encoding: str | None = None) -> Dialect:
    """The dialect of a file that begins with `head`. `encoding` overrides the guess.

    Raises:
        UnreadableData: the file is no text, or holds no row.
    """
    _refuse_binary(path, head)
    encoding = encoding or guess_encoding(path, head)
    text = codecs.getincrementaldecoder(encoding)("replace").decode(head).lstrip("\ufeff")
    if not text.strip():
        raise UnreadableData(f"{shown(path)} holds no rows. Export it again, with its data.")
    lines = text if len(head) < SAMPLE else text[: text.rfind("\n") + 1] or text
    delimiter = _delimiter(lines, tabs=".tsv" in path.name.lower())
    rows = _rows(lines, delimiter)
    if not rows:
        raise UnreadableData(f"{shown(path)}: its first row holds a cell of more than 131,072 characters. Shorten it.")
    return Dialect(encoding, delimiter, _has_header(rows), tuple(rows[0]))


def guess_encoding(path: Path, head: bytes) -> str:
    """A byte-order mark, then UTF-8 if it decodes, then what the bytes look like."""
    if head.startswith(codecs.BOM_UTF8):
        return "utf-8"
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if b"\0" in head:
        return _utf16_without_mark(path, head)
    if is_utf8(head):
        return "utf-8"
    best = from_bytes(head, cp_isolation=ENCODINGS).best()
    return best.encoding if best else "latin_1"


def is_utf8(head: bytes) -> bool:
    """Whether `head` is UTF-8, perhaps cut inside its last character."""
    try:
        codecs.getincrementaldecoder("utf-8")("strict").decode(head)
    except UnicodeDecodeError:
        return False
    return True


def unique_names(cells: Sequence[str]) -> tuple[str, ...]:
    """Header cells as column names: stripped, at most 200 characters, `column_N` if empty, repeats numbered."""
    used: set[str] = set()
    names = []
    for position, cell in enumerate(cells):
        base = cell.strip()[:MAX_NAME] or f"column_{position}"
        name = next(n for n in itertools.chain([base], (f"{base}_{k}" for k in itertools.count(2))) if n not in used)
        used.add(name)
        names.append(name)
    return tuple(names)


def _refuse_binary(path: Path, head: bytes) -> None:
    for magic, what in _MAGIC.items():
        if head.startswith(magic):
            raise UnreadableData(f"{shown(path)} is not a text table: it is {what}.")
    if not head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) and b"\0" not in head:
        codes = np.frombuffer(head, np.uint8)
        odd = np.count_nonzero((codes < 32) & ~np.isin(codes, (9, 10, 12, 13, 27, 31)))
        if odd > 0.02 * len(codes):
            raise UnreadableData(_binary(path))


def _utf16_without_mark(path: Path, head: bytes) -> str:
    codes = np.frombuffer(head[: len(head) // 2 * 2], np.uint8).reshape(-1, 2)
    zero = (codes == 0).mean(0)
    if zero[1] > 0.5 and zero[0] < 0.1:
        return "utf-16-le"
    if zero[0] > 0.5 and zero[1] < 0.1:
        return "utf-16-be"
    if (codes == 0).mean() < 0.001:  # a stray NUL does not make a table binary; it becomes part of its cell
        return "utf-8" if is_utf8(head) else "latin_1"
    raise UnreadableData(_binary(path))


def _binary(path: Path) -> str:
    return f"{shown(path)} is not a text table: it holds binary data. Export the table as CSV or Parquet."


def _rows(text: str, delimiter: str) -> list[list[str]]:
    reader = csv.reader(text.splitlines(keepends=True), delimiter=delimiter)
    rows: list[list[str]] = []
    try:
        for row in itertools.islice((row for row in reader if row), ROWS):
            rows.append(row)  # noqa: PERF402  what was read before an overlong cell is kept
    except csv.Error:  # a cell longer than the reader's limit
        pass
    return rows


def _delimiter(text: str, *, tabs: bool) -> str:
    """The delimiter that gives the most even rows, then the most numbers, then the most columns."""
    best, choice = (0.0, 0.0, 0), ALONE
    for delimiter in ("\t", *DELIMITERS) if tabs else DELIMITERS:
        rows = _rows(text, delimiter)
        if not rows or not _splits(rows, delimiter):
            continue
        width, count = Counter(map(len, rows)).most_common(1)[0]
        grade = (round(count / len(rows), 1), round(_numeric_share(rows), 1), width)
        if grade > best and (delimiter != " " or choice == ALONE):
            best, choice = grade, delimiter
    return choice


def _splits(rows: list[list[str]], delimiter: str) -> bool:
    """Whether a delimiter does more than occur: rows are mostly even, or ragged but split from the first row on.

    Blanks are everywhere; they delimit only where what they part are numbers.
    """
    width, count = Counter(map(len, rows)).most_common(1)[0]
    if delimiter == " " and (len(rows[0]) != width or _numeric_share(rows) < 0.5):
        return False
    even = width > 1 and count >= 0.7 * len(rows)
    ragged = len(rows[0]) > 1 and sum(len(row) > 1 for row in rows) >= 0.8 * len(rows)
    return even or ragged


def _numeric_share(rows: list[list[str]]) -> float:
    cells = pl.Series([cell.strip() for row in rows[1:] or rows for cell in row][: 20 * ROWS], dtype=pl.String)
    return float(np.mean((numbers(cells).is_not_null() | in_style(cells, "decimal-comma") | (cells == "")).to_numpy()))


def _has_header(rows: list[list[str]]) -> bool:
    """Whether the first row names the columns: its cells are not of the kind found below them."""
    first = [cell.strip() for cell in rows[0]]
    if _counts_up(first):
        return True
    body = [row for row in rows[1:] if len(row) == len(first)]
    if not body:
        return not any(_kind([cell]) in ("number", "date") for cell in first[:VOTERS])
    votes = 0
    for position, cell in enumerate(first[:VOTERS]):
        below = _kind([row[position].strip() for row in body])
        if below in ("number", "date") and (above := _kind([cell])) != "missing":
            votes += 1 if above != below else -1
    if votes:
        return votes > 0
    again = any(row[position].strip() == cell for row in body for position, cell in enumerate(first) if cell)
    return len(set(first)) == len(first) and not again


def _counts_up(cells: list[str]) -> bool:
    """`0,1,2,…` or `1,2,3,…`, with or without an unnamed index before it: how data frames without names are saved."""
    tail = cells[1:] if cells[0] == "" else cells
    return len(tail) > 2 and tail in ([str(k + start) for k in range(len(tail))] for start in (0, 1))


def _kind(cells: Sequence[str]) -> Literal["missing", "number", "date", "text"]:
    """What most of the cells are, the missing ones aside."""
    given = pl.Series([cell for cell in cells if cell not in MISSING], dtype=pl.String)
    if not len(given):
        return "missing"
    as_numbers = numbers(given).is_not_null() | in_style(given, "decimal-comma") | in_style(given, "thousands-comma")
    if as_numbers.sum() > len(given) / 2:
        return "number"
    return "date" if date_formats(given, share=0.5) else "text"
