"""Reading documents that anybody may have written: of bounded size, from regular files, values and nothing else."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any, NoReturn

import yaml

LARGEST_JSON = 64 << 20
LARGEST_YAML = 256 << 10
"""Bytes. A plan takes a few thousand, and reading YAML takes its time."""


def read_text(path: Path, largest: int) -> str:
    """The UTF-8 text in the file `path`.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not a regular file, is larger than `largest` bytes, or is not UTF-8.
    """
    with open(path, "rb", opener=_without_waiting) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise ValueError("not a regular file")
        content = file.read(largest + 1)
    if len(content) > largest:
        raise ValueError(f"larger than {largest:,} bytes")
    return content.decode("utf-8")


def read_json(path: Path) -> Any:
    """The JSON document in the file `path`. Raises OSError and ValueError, never another error."""
    try:
        return json.loads(read_text(path, LARGEST_JSON), parse_constant=_refuse)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def parse_yaml(text: str) -> Any:
    """The YAML document `text`: plain values, without aliases (which can unfold into any size) and without tags.

    Raises:
        ValueError: it is not that.
    """
    try:
        return _Loader(text).get_single_data()
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError(" ".join(str(error).split())) from error


class _Loader(yaml.SafeLoader):
    def compose_node(self, parent: Any, index: Any) -> Any:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent):
            raise yaml.YAMLError(f"{_line(event)}: aliases are not read here; write the value again")
        if getattr(event, "tag", None) not in (None, "!"):
            raise yaml.YAMLError(f"{_line(event)}: the tag {event.tag} is not read here; leave it out")
        return super().compose_node(parent, index)


def _line(event: Any) -> str:
    return f"line {event.start_mark.line + 1}"


def _without_waiting(path: str, flags: int) -> int:
    """Open at once, even a pipe that nobody writes to."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
