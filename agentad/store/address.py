"""Content addresses: the same inputs, parameters, code and seed give the same name."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from agentad.errors import UnreadableData


def address(*parts: Any) -> str:
    """SHA-256 (16 hex digits) of JSON-able `parts`."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def stat_fingerprint(path: Path) -> str:
    """SHA-256 over the names, sizes and modification times at or below `path`, without reading or following anything.

    Raises:
        UnreadableData: there is nothing at `path`.
    """
    if not os.path.lexists(path):
        raise UnreadableData(f"{path}: no such file or folder; check the path given with --data")
    digest = hashlib.sha256()
    for name, stat in _stats(path):
        digest.update(os.fsencode(name) + f"\0{stat.st_size}\0{stat.st_mtime_ns}\0".encode())
    return digest.hexdigest()


def _stats(path: Path) -> list[tuple[str, os.stat_result]]:
    real = Path(os.path.realpath(path))  # of a link that leads back to itself, `resolve` has no answer
    found = [("", real.stat())] if real.exists() else []
    if real.is_dir():
        found = []  # a folder's own times change with every file that is looked at through an index or a thumbnailer
        for folder, names, files in os.walk(real, followlinks=False):
            names.sort()
            for name in sorted(files):
                full = os.path.join(folder, name)  # noqa: PTH118 - names may not be valid text
                try:
                    found.append((os.path.relpath(full, real), os.lstat(full)))
                except OSError:
                    continue  # vanished while walking; the profile step reports what it cannot read
    return found
