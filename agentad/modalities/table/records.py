"""A stream of bytes cut into blocks that end where a record ends, however cells are quoted.

Arrow's own streaming reader calls back into Python from its threads, which can abort the interpreter on its way out;
cutting first and parsing each block in this thread cannot.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

BLOCK = 8 << 20
LONGEST = 64 << 20
"""Bytes of the longest record: what has no end by then is an unclosed quote."""

_QUOTE = ord('"')


class RecordTooLong(Exception):
    """A record that does not end within `LONGEST` bytes."""


class Readable(Protocol):
    """Anything with `read`."""

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes, none at the end."""
        ...


def blocks(stream: Readable, delimiter: str, *, size: int = BLOCK, longest: int = LONGEST) -> Iterator[bytes]:
    """Pieces of about `size` bytes, each a whole number of records.

    Raises:
        RecordTooLong: no record ends within `longest` bytes.
    """
    rest = b""
    while read := stream.read(size):
        buffer = rest + read
        end = last_end(buffer, delimiter)
        if end == 0 and len(buffer) >= longest:
            raise RecordTooLong
        if end:
            yield buffer[:end]
        rest = buffer[end:]
    if rest:
        yield rest if rest.endswith(b"\n") else rest + b"\n"


def last_end(buffer: bytes, delimiter: str) -> int:
    """Where the last whole record of `buffer` ends (just after its line break), 0 where none does."""
    if b'"' not in buffer:
        return _last_break(buffer, len(buffer))
    quotes = _structural(buffer, delimiter.encode())
    end = len(buffer)
    while end := _last_break(buffer, end):
        inside = np.searchsorted(quotes, end)
        if inside % 2 == 0:
            return end
        end = int(quotes[inside - 1])  # the break is inside this quoted cell: go on before it
    return 0


def _last_break(buffer: bytes, end: int) -> int:
    feed = buffer.rfind(b"\n", 0, end) + 1
    if feed:
        return feed
    return buffer.rfind(b"\r", 0, max(end - 1, 0)) + 1  # a final \r may be half of \r\n


def _structural(buffer: bytes, delimiter: bytes) -> NDArray[np.int64]:
    """Positions of the quotes that open or close a cell, in turn; quotes inside an unquoted cell are only text."""
    codes = np.frombuffer(buffer, np.uint8)
    quotes = np.flatnonzero(codes == _QUOTE)
    before = np.where(quotes == 0, ord("\n"), codes[quotes - 1])
    starts = np.isin(before, [*delimiter, *b"\r\n"])
    escaped = np.diff(quotes, prepend=-2) == 1  # the second half of a doubled quote
    if (starts | escaped)[::2].all():
        return quotes
    kept: list[int] = []
    for position, begins in zip(quotes.tolist(), starts.tolist(), strict=True):
        if len(kept) % 2 or begins or (kept and kept[-1] == position - 1):
            kept.append(position)
    return np.array(kept, np.int64)
