"""Files and folders that appear whole or not at all."""

from __future__ import annotations

import errno
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from agentad.errors import NotWritable

PREFIX = ".part-"
"""Names that start like this are unfinished and may be deleted when no process holds the run."""


_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG)
_LITTLE = 1 << 16
"""Free bytes below which a failure is taken to be the disk's: libraries report a full disk in many ways."""


def not_writable(folder: Path, error: Exception) -> NotWritable:
    """The error for a `folder` that refused what was written to it."""
    reason = error.strerror if isinstance(error, OSError) else str(error)
    return NotWritable(
        f"{folder}: cannot be written ({reason}); make room, allow writing there, or set AGENTAD_RUNS or --out to "
        "another folder"
    )


def made_folder(path: Path) -> Path:
    """`path` as an existing folder.

    Raises:
        NotWritable: it is a file, or cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise not_writable(path, error) from error
    return path


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` to `path`; a reader sees the old file or the new one, never a part.

    Raises:
        NotWritable: the folder or its disk refuses.
    """
    try:
        _write_bytes(path, content)
    except OSError as error:
        raise not_writable(path.parent, error) from error


def _write_bytes(path: Path, content: bytes) -> None:
    handle, part = tempfile.mkstemp(prefix=PREFIX, dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(part).chmod(0o644)
        Path(part).replace(path)
    except BaseException:
        Path(part).unlink(missing_ok=True)
        raise


def write_text(path: Path, content: str) -> None:
    """`write_bytes` in UTF-8."""
    write_bytes(path, content.encode("utf-8"))


def write_json(path: Path, content: Any) -> None:
    """`write_text` of JSON with sorted keys, so that equal contents are equal bytes."""
    write_text(path, json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n")


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder that becomes `path` when the block ends without an error, replacing what was there.

    Raises:
        NotWritable: the folder above or its disk refuses.
    """
    made_folder(path.parent)
    try:
        part = Path(tempfile.mkdtemp(prefix=PREFIX, dir=path.parent))
    except OSError as error:
        raise not_writable(path.parent, error) from error
    try:
        yield part
        part.chmod(0o755)
        if path.exists():
            old = Path(tempfile.mkdtemp(prefix=PREFIX, dir=path.parent))
            path.replace(old / "old")
            part.replace(path)
            shutil.rmtree(old)
        else:
            part.replace(path)
    except Exception as error:
        cause = error.__cause__ if isinstance(error, NotWritable) and isinstance(error.__cause__, OSError) else error
        full = getattr(cause, "errno", None) in _FULL or shutil.disk_usage(part).free < _LITTLE
        shutil.rmtree(part, ignore_errors=True)
        if full:
            raise not_writable(path.parent, cause) from error
        raise
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise


def publish(source: Path, target: Path) -> None:
    """Make `target` the same file as `source`, by hard link where the file system can."""
    part = target.with_name(PREFIX + target.name)
    part.unlink(missing_ok=True)
    try:
        os.link(source, part)
    except OSError:
        shutil.copyfile(source, part)
    part.replace(target)
    part.unlink(missing_ok=True)  # replacing a hard link by itself leaves both names


def publish_folder(source: Path, target: Path) -> None:
    """`publish` every file of the folder `source` at the same place below `target`, whose folders are made."""
    for path in sorted(source.rglob("*")):
        if path.is_file():
            own = target / path.relative_to(source)
            own.parent.mkdir(parents=True, exist_ok=True)
            publish(path, own)


def clear_parts(folder: Path) -> None:
    """Delete what an interrupted write left directly inside `folder`."""
    for path in folder.glob(f"{PREFIX}*"):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
