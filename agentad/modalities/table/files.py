"""Which files a path stands for. Only regular files are ever opened: a pipe or a device would hang."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from agentad.errors import UnreadableData
from agentad.flow import Skipped
from agentad.modalities.shown import encodable, shown

TEXT = (".csv", ".tsv", ".csv.gz", ".tsv.gz")
LOOSE_TEXT = (".txt", ".txt.gz")
"""A table only where nothing else in the folder is: most folders have a readme."""
PARQUET = (".parquet",)
NPZ = (".npz",)
TABLE = TEXT + LOOSE_TEXT + PARQUET + NPZ
IMAGE = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp")

MAX_FILES = 10_000
LISTED = 20
"""How many skipped things are named; all are counted."""
HASHED_WHOLE = 256 << 20
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Found:
    """The table files below a path."""

    root: Path
    files: tuple[Path, ...]
    skipped: tuple[Skipped, ...] = ()
    n_skipped: int = 0

    def name(self, file: Path) -> str:
        """Path below the root with forward slashes; the file's own name where the root is a file."""
        return encodable(file.name if file == self.root else file.relative_to(self.root).as_posix())


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn what the file system and Arrow raise while reading `path` into `UnreadableData`."""
    try:
        yield
    except (OSError, EOFError, UnicodeError, pa.ArrowException) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error).split("\n")[0]
        reason = reason.rstrip(".")
        raise UnreadableData(
            f"{shown(path)} cannot be read: {shown(reason)}. Check the file and its permissions."
        ) from error


def is_regular(path: Path) -> bool:
    """Whether `path` leads to a regular file. False for what does not exist or loops."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return False


def find(path: Path) -> Found:
    """The table files at `path`, a file or a folder, sorted by name.

    Raises:
        UnreadableData: nothing there, nothing usable there, or not a regular file.
    """
    with reading(path):
        mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        return _in_folder(path)
    if not stat.S_ISREG(mode):
        raise UnreadableData(f"{shown(path)} is a pipe, a socket or a device. Save its content to a file first.")
    if not path.name.lower().endswith(TABLE):
        raise UnreadableData(f"{shown(path)} is not a table. Tables end in {', '.join(TABLE)}.")
    return Found(path, (path,))


def fingerprint(found: Found) -> str:
    """SHA-256 over names and contents. Above 256 MiB a file counts by size, time of change, head and tail."""
    digest = hashlib.sha256()
    for file in found.files:
        digest.update(found.name(file).encode() + b"\0")
        with reading(file), file.open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            digest.update(size.to_bytes(8, "big"))
            if size <= HASHED_WHOLE:
                while block := stream.read(_BLOCK):
                    digest.update(block)
            else:
                digest.update(os.fstat(stream.fileno()).st_mtime_ns.to_bytes(8, "big", signed=True))
                digest.update(stream.read(_BLOCK))
                stream.seek(-_BLOCK, os.SEEK_END)
                digest.update(stream.read(_BLOCK))
    return digest.hexdigest()


def walk(folder: Path) -> Iterator[Path]:
    """Everything below `folder` that is not a folder, sorted, hidden entries and links to folders left aside."""
    with reading(folder), os.scandir(folder) as entries:
        listed = sorted(entries, key=lambda entry: entry.name)
    for entry in listed:
        if entry.name.startswith("."):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from walk(folder / entry.name)
        elif not _links_to_folder(entry):  # following them could run in circles
            yield folder / entry.name


def _links_to_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _in_folder(folder: Path) -> Found:
    files = []
    for file in walk(folder):
        files.append(file)
        if len(files) > MAX_FILES:
            raise UnreadableData(f"{shown(folder)} holds more than {MAX_FILES:,} files. Point at a smaller folder.")
    chosen, skipped = _chosen(folder, files)
    if not chosen:
        raise UnreadableData(f"{shown(folder)} holds no table. Tables end in {', '.join(TABLE)}.")
    return Found(folder, tuple(chosen), tuple(skipped[:LISTED]), len(skipped))


def _chosen(folder: Path, files: Sequence[Path]) -> tuple[list[Path], list[Skipped]]:
    strict = any(file.name.lower().endswith(TEXT + PARQUET + NPZ) for file in files)
    wanted = TEXT + PARQUET + NPZ if strict else LOOSE_TEXT
    chosen, skipped = [], []
    for file in files:
        reason = None
        if not file.name.lower().endswith(wanted):
            reason = "not a table"
        elif not is_regular(file):
            reason = "not a regular file"
        elif file.stat().st_size == 0:
            reason = "empty file"
        if reason is None:
            chosen.append(file)
        else:
            skipped.append(Skipped(path=shown(file.relative_to(folder).as_posix()), reason=reason))
    return chosen, skipped
