"""CSV and its kin, read block by block: a file may be larger than memory."""

from __future__ import annotations

import codecs
import gzip
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.csv as arrow_csv

from agentad.errors import UnreadableData
from agentad.modalities.shown import shown
from agentad.modalities.table.dialect import ALONE, SAMPLE, Dialect, sniff
from agentad.modalities.table.files import reading
from agentad.modalities.table.records import BLOCK, LONGEST, Readable, RecordTooLong, blocks
from agentad.modalities.table.source import FRAME_ROWS, Losses, check_width, repeated_note
from agentad.modalities.table.values import MISSING

EXPANSION = 200
"""How many times its size a gzip file may unfold, once beyond `FREE`; real tables stay below 50."""
FREE = 1 << 30
WIDE = 8 << 10
"""Bytes of a block per column at least: each column of each block has a cost of its own, however few its rows."""
RAGGED = 0.5
"""Above this share of rows with a wrong number of cells, the dialect is wrong rather than the rows."""


class NotUtf8(Exception):
    """The file looked like UTF-8 and turned out not to be."""


class TextFile:
    """A delimited text file (`source.Source`)."""

    def __init__(self, path: Path, *, like: tuple[str, ...] = (), encoding: str | None = None) -> None:
        """`like`: column names of an earlier part of the same table; the first row is a header if it holds them."""
        self.path = path
        with self._open() as stream:
            head = stream.read(SAMPLE)
            self._dialect = sniff(path, head, encoding=encoding)
        if like:
            named = sorted(replace(self._dialect, header=True).names) == sorted(like)
            counted = like[0] == "column_0" and len(like) == len(self._dialect.first)
            self._dialect = replace(self._dialect, header=named or (self._dialect.header and not counted))
        check_width(path, len(self._dialect.first))
        self.names = self._dialect.names
        self.encoding: str | None = self._dialect.encoding
        self.delimiter: str | None = None if self._dialect.delimiter == ALONE else self._dialect.delimiter
        self.notes = _notes(path, self._dialect)

    def frames(self, losses: Losses | None = None) -> Iterator[pl.DataFrame]:
        """Frames of text columns; see `source.Source`. Raises `NotUtf8` for stray bytes."""
        losses = losses or Losses()
        good = lost = 0
        size = max(BLOCK, WIDE * len(self.names))
        with self._open() as stream:
            recoded = stream if self._dialect.encoding == "utf-8" else _Recoded(stream, self._dialect.encoding)
            try:
                for block in blocks(recoded, self._dialect.delimiter, size=size):
                    before = losses.count
                    frame = self._parse(block, losses, row=good + lost, first=good + lost == 0)
                    lost += losses.count - before
                    good += len(frame)
                    yield from frame.iter_slices(FRAME_ROWS) if len(frame) else ()
            except RecordTooLong as error:
                raise UnreadableData(
                    f"{shown(self.path)}: the row after row {good + lost:,} does not end within {LONGEST >> 20} MiB. "
                    "Look for a quotation mark that is never closed."
                ) from error
        if lost > RAGGED * (good + lost):
            raise UnreadableData(
                f"{shown(self.path)}: {lost:,} of {good + lost:,} rows have a number of cells other than the "
                f"{len(self.names)} of the first row ({losses.listed[0].reason if losses.listed else 'all differ'}). "
                "Remove lines above the header, and use one delimiter throughout."
            )

    def _parse(self, block: bytes, losses: Losses, *, row: int, first: bool) -> pl.DataFrame:
        header = int(first and self._dialect.header)

        def lose(invalid: Any) -> str:
            number = row + invalid.number - 1 - header
            reason = f"{invalid.actual_columns} cells instead of {invalid.expected_columns}"
            losses.add(f"{shown(self.path.name)}, row {number}", reason)
            return "skip"

        if not block.strip(b"\r\n"):
            return pl.DataFrame(schema=dict.fromkeys(self.names, pl.String))
        try:
            table = arrow_csv.read_csv(
                pa.BufferReader(block),
                arrow_csv.ReadOptions(
                    use_threads=False,
                    block_size=len(block) + 1,
                    column_names=list(self.names),
                    skip_rows_after_names=header,
                ),
                arrow_csv.ParseOptions(
                    delimiter=self._dialect.delimiter, newlines_in_values=True, invalid_row_handler=lose
                ),
                arrow_csv.ConvertOptions(
                    column_types=dict.fromkeys(self.names, pa.string()),
                    strings_can_be_null=True,
                    null_values=list(MISSING),
                ),
            )
        except pa.ArrowInvalid as error:
            if "UTF8" in str(error):
                raise NotUtf8 from error
            raise
        return pl.DataFrame(
            [_stripped(pl.Series(name, column)) for name, column in zip(self.names, table, strict=True)]
        )

    @contextmanager
    def _open(self) -> Iterator[Readable]:
        with reading(self.path), ExitStack() as stack:
            raw = stack.enter_context(self.path.open("rb"))
            if not self.path.name.lower().endswith(".gz"):
                yield raw
                return
            try:
                yield _Unfolded(self.path, stack.enter_context(gzip.GzipFile(fileobj=raw)), self.path.stat().st_size)
            except (gzip.BadGzipFile, zlib.error, EOFError) as error:
                raise UnreadableData(
                    f"{shown(self.path)} is a damaged gzip file: {shown(error)}. Copy or compress it again."
                ) from error


class _Recoded:
    """A stream in another encoding, as UTF-8. What cannot be decoded becomes U+FFFD."""

    def __init__(self, stream: Readable, encoding: str) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder(encoding)("replace")

    def read(self, size: int, /) -> bytes:
        while raw := self._stream.read(size):
            if text := self._decoder.decode(raw):
                return text.encode("utf-8", "replace")
        return b""


class _Unfolded:
    """A gzip stream that refuses to unfold into far more than a table would."""

    def __init__(self, path: Path, stream: Readable, packed: int) -> None:
        self._path, self._stream = path, stream
        self._left = max(FREE, EXPANSION * packed)

    def read(self, size: int, /) -> bytes:
        read = self._stream.read(size)
        self._left -= len(read)
        if self._left < 0:
            raise UnreadableData(
                f"{shown(self._path)} unfolds to more than {EXPANSION} times its size. "
                "If this is meant, unpack it first."
            )
        return read


def _stripped(text: pl.Series) -> pl.Series:
    """Without blanks around the cells, which Arrow keeps; the look first is cheaper than the work."""
    stripped = text.str.strip_chars()
    if stripped.str.len_bytes().sum() == text.str.len_bytes().sum():
        return text
    return stripped.set(stripped.is_in(MISSING), None)


def _notes(path: Path, dialect: Dialect) -> tuple[str, ...]:
    notes = []
    if not dialect.header:
        notes.append(f"{shown(path.name)} has no header: columns are named column_0, column_1, … in order.")
    if dialect.encoding not in ("utf-8", "utf-16"):
        notes.append(f"{shown(path.name)} is not UTF-8; it was read as {dialect.encoding}.")
    return (*notes, *(repeated_note(dialect.first) if dialect.header else ()))
