"""The command line as a person meets it, run in this process, with a hard limit on time and eyes on the file system."""

import contextlib
import io
import json
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISDIR
from typing import Any

from agentad.cli import execute

SECONDS = 60
"""Wall-clock seconds after which a command counts as hanging, on a machine that does other things as well."""


class Hangs(BaseException):
    """Not an `Exception`: nothing on the road may catch it."""


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document on standard output."""
        return json.loads(self.out, parse_constant=lambda name: 1 / 0)


@contextlib.contextmanager
def limited(seconds: int = SECONDS) -> Iterator[None]:
    def stop(number: int, frame: object) -> None:
        raise Hangs(f"no answer in {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def call(*arguments: object) -> Outcome:
    """`agentad` with `arguments`."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    with limited(), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = execute([os.fspath(a) if isinstance(a, Path) else str(a) for a in arguments])
    texts = [stream.buffer.getvalue().decode("utf-8") for stream in (out, err)]  # type: ignore[attr-defined]
    return Outcome(code, *texts)


def tree(root: Path, *without: Path) -> dict[str, tuple[int, int, int]]:
    """Mode of everything below `root`, size and time of change of files; nothing below `without` is looked at."""
    found = {}
    for folder, names, files in os.walk(root):
        names[:] = [name for name in names if Path(folder, name) not in without]
        for path in (Path(folder, name) for name in [*names, *files]):
            stat = path.lstat()
            size, time = (0, 0) if S_ISDIR(stat.st_mode) else (stat.st_size, stat.st_mtime_ns)
            found[os.path.relpath(path, root)] = (stat.st_mode, size, time)
    return found
