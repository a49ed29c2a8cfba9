"""How names and cells from foreign data appear in messages: on one line, escaped, short, always encodable."""

from __future__ import annotations

import os
from pathlib import Path


def shown(text: object, limit: int = 200) -> str:
    r"""`text` on one line, its first `limit` characters at most; control characters and stray bytes as escapes."""
    whole = os.fspath(text) if isinstance(text, Path) else str(text)
    line = "".join(_escaped(character) for character in whole[:limit])
    return line if len(whole) <= limit else f"{line}… ({len(whole):,} characters)"


def encodable(name: str) -> str:
    r"""A file name that UTF-8 can hold: bytes that were not UTF-8 become `\xff` escapes, the rest stays."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _escaped(character: str) -> str:
    if character.isprintable():
        return character
    if "\udc80" <= character <= "\udcff":  # how Python carries a file-name byte that is not UTF-8
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode("ascii")
