"""A folder of files as arrays, so that a model which saves itself into a folder can be part of a detector's state."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentad.errors import DetectorRefused


def pack(folder: Path, prefix: str) -> dict[str, NDArray[Any]]:
    """Every file directly in `folder` as its bytes, by `prefix` + name."""
    return {f"{prefix}{path.name}": np.fromfile(path, np.uint8) for path in sorted(folder.iterdir()) if path.is_file()}


@contextmanager
def unpacked(arrays: Mapping[str, NDArray[Any]], prefix: str) -> Iterator[Path]:
    """A temporary folder that holds what `pack` packed under `prefix`.

    Raises:
        DetectorRefused: a name that is more than a file's name.
    """
    with tempfile.TemporaryDirectory() as folder:
        for name, content in arrays.items():
            if not name.startswith(prefix):
                continue
            own = name.removeprefix(prefix)
            if Path(own).name != own or own in (".", ".."):
                raise DetectorRefused(f"{name!r} is not the name of a file; copy the whole detector folder again")
            (Path(folder) / own).write_bytes(content.tobytes())
        yield Path(folder)
