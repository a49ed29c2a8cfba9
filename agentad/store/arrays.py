"""Arrays and settings in a folder: safetensors beside JSON, nothing that executes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from agentad.errors import DetectorRefused
from agentad.store.atomic import write_json
from agentad.store.documents import read_json

ARRAYS = "arrays.safetensors"
SETTINGS = "settings.json"


def save_state(folder: Path, arrays: dict[str, NDArray[Any]], settings: dict[str, Any]) -> None:
    """Write `arrays` and `settings` into `folder`, which is made if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, folder / ARRAYS)
    write_json(folder / SETTINGS, settings)


def load_state(folder: Path) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """What `save_state` wrote.

    Raises:
        DetectorRefused: a file is missing or damaged.
    """
    try:
        settings = read_json(folder / SETTINGS)
        arrays = load_file(folder / ARRAYS)
    except (OSError, ValueError, SafetensorError) as error:
        raise DetectorRefused(
            f"{folder}: damaged or incomplete ({error}); copy the whole detector folder again"
        ) from error
    if not isinstance(settings, dict):
        raise DetectorRefused(f"{folder / SETTINGS}: not a JSON object; copy the whole detector folder again")
    return arrays, settings
