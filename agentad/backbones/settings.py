"""The settings file of a saved encoder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agentad.errors import DetectorRefused
from agentad.store.atomic import write_json
from agentad.store.documents import read_json

FILE = "encoder.json"


def write(folder: Path, name: str, values: Mapping[str, Any]) -> None:
    """Write the encoder's name and constructor parameters into `folder`, which is made if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / FILE, {"name": name, **values})


def read(folder: Path, types: Mapping[str, type], defaults: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The values of the keys in `types`, each of that type; an absent one takes its value in `defaults`, if it has one.

    Raises:
        DetectorRefused: the file is absent or damaged, or lacks one of them.
    """
    try:
        content = read_json(folder / FILE)
    except (OSError, ValueError) as error:
        raise DetectorRefused(
            f"{folder / FILE}: cannot be read ({error}); copy the whole detector folder again"
        ) from error
    found = {**(defaults or {}), **(content if isinstance(content, dict) else {})}
    wrong = [key for key, kind in types.items() if not isinstance(found.get(key), kind)]
    if wrong:
        raise DetectorRefused(
            f"{folder / FILE}: {', '.join(wrong)} is absent or damaged; copy the whole detector folder again"
        )
    return {key: found[key] for key in types}
