"""A folder of weights on disk, checked whenever it is used: `config.json`, `model.safetensors`, `SOURCE.json`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from agentad.backbones import catalog
from agentad.backbones.layouts import Sizes, expected_shapes, sizes_of
from agentad.errors import WeightsMissing
from agentad.store.atomic import write_json
from agentad.store.documents import read_json

CONFIG, WEIGHTS, SOURCE = "config.json", "model.safetensors", "SOURCE.json"
_CHUNK = 1 << 22


def sha256(path: Path) -> str:
    """Hex SHA-256 of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def verify(folder: Path) -> Sizes:
    """Check that `folder` holds the whole weights of a known network; returns its sizes.

    `SOURCE.json` is agentad's own note of the hash. A folder from elsewhere may lack it: then names and shapes are
    checked, not the values.

    Raises:
        WeightsMissing: a file is absent or damaged; names the folder and the way out.
    """
    try:
        sizes = sizes_of(_json(folder, CONFIG))
    except ValueError as error:
        raise damaged(folder, f"{CONFIG} cannot be used, {error}") from error
    if (folder / SOURCE).is_file():
        recorded = _json(folder, SOURCE).get("sha256")
        if (folder / WEIGHTS).is_file() and sha256(folder / WEIGHTS) != recorded:
            raise damaged(folder, f"{WEIGHTS} does not have the SHA-256 that {SOURCE} records")
    found = _shapes(folder)
    for name, shape in expected_shapes(sizes).items():
        if found.get(name) != shape:
            raise damaged(folder, f"tensor {name} should have shape {shape}, and has {found.get(name, 'no entry')}")
    return sizes


def tensors(path: Path, names: Iterable[str]) -> dict[str, NDArray[np.float32]]:
    """Those of `names` that the safetensors file at `path` holds.

    Raises:
        WeightsMissing: it cannot be read.
    """
    try:
        with safe_open(path, "np") as file:
            return {name: file.get_tensor(name) for name in set(names) & set(file.keys())}
    except (OSError, SafetensorError) as error:
        raise damaged(path.parent, f"{path.name} cannot be read ({error})") from error


def source(folder: Path) -> dict[str, Any]:
    """Where the weights in `folder` came from and under what licence; empty if that was never noted."""
    return _json(folder, SOURCE) if (folder / SOURCE).is_file() else {}


def note_source(folder: Path, note: dict[str, Any]) -> None:
    """Write `note` beside the weights with their present SHA-256, which `verify` will ask for."""
    (folder / WEIGHTS).chmod(0o644)  # for everyone who shares the folder
    write_json(folder / SOURCE, note | {"sha256": sha256(folder / WEIGHTS)})


def damaged(folder: Path, why: str) -> WeightsMissing:
    """The error for a folder that cannot be used as it is."""
    known = folder.name in catalog.names()
    pull = f"Fetch them again with `agentad models pull {folder.name} --force`, or copy the folder again"
    way_out = pull if known else "Copy the folder again"
    return WeightsMissing(f"weights in {folder} cannot be used: {why}. {way_out}.")


def _json(folder: Path, name: str) -> dict[str, Any]:
    try:
        content = read_json(folder / name)
    except OSError as error:
        raise damaged(folder, f"{name} cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise damaged(folder, f"{name} is not JSON ({error})") from error
    if not isinstance(content, dict):
        raise damaged(folder, f"{name} is not a JSON object")
    return content


def _shapes(folder: Path) -> dict[str, tuple[int, ...]]:
    try:
        with safe_open(folder / WEIGHTS, "np") as file:
            return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise damaged(folder, f"{WEIGHTS} cannot be read ({error})") from error
