"""ADBench's `.npz`: features `X`, labels `y`. Sizes are checked in the headers before anything is unpacked."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from agentad.errors import UnreadableData
from agentad.modalities.shown import shown
from agentad.modalities.table.files import reading
from agentad.modalities.table.source import FRAME_ROWS, Losses, check_width

LARGEST = 2 << 30
"""Bytes of one array: it has to fit into memory."""
LABEL = "y"


class NpzFile:
    """One archive (`source.Source`): columns `x0`, `x1`, … and, where there are labels, `y`."""

    delimiter: str | None = None
    encoding: str | None = None

    def __init__(self, path: Path) -> None:
        self.path = path
        arrays, others = _load(path)
        features = arrays["X"]
        if features.ndim != 2 or not len(features) or not features.shape[1]:
            raise UnreadableData(f"{shown(path)}: X has shape {features.shape}; it has to be (rows, columns).")
        check_width(path, features.shape[1])
        self._features = features
        self._labels = arrays.get("y")
        self.names = tuple(f"x{k}" for k in range(features.shape[1]))
        if self._labels is not None:
            self._labels = self._checked_labels(self._labels)
            self.names += (LABEL,)
        self.notes: tuple[str, ...] = ()
        if others:
            self.notes = (f"Only X and y were read of {shown(path.name)}, not {', '.join(others)}.",)

    def frames(self, losses: Losses | None = None) -> Iterator[pl.DataFrame]:
        """Frames of float columns; see `source.Source`."""
        for start in range(0, len(self._features), FRAME_ROWS):
            part = slice(start, start + FRAME_ROWS)
            frame = pl.DataFrame(self._features[part].astype(np.float64), schema=list(self.names[: self._width]))
            if self._labels is not None:
                frame = frame.with_columns(pl.Series(LABEL, self._labels[part].astype(np.float64)))
            yield frame.with_columns(pl.all().fill_nan(None))

    @property
    def _width(self) -> int:
        return int(self._features.shape[1])

    def _checked_labels(self, labels: NDArray[Any]) -> NDArray[Any]:
        if labels.shape not in ((len(self._features),), (len(self._features), 1)):
            raise UnreadableData(
                f"{shown(self.path)}: y has shape {labels.shape} and X {self._features.shape}; y needs one label a row."
            )
        labels = labels.reshape(-1)
        wrong = labels[~np.isin(labels, (0, 1))]
        if len(wrong):
            raise UnreadableData(
                f"{shown(self.path)}: y holds {wrong[0]}; it may hold 0 (normal) and 1 (anomalous) only."
            )
        return labels


def _load(path: Path) -> tuple[dict[str, NDArray[Any]], list[str]]:
    with reading(path), path.open("rb") as stream:
        try:
            with zipfile.ZipFile(stream) as archive:
                members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
                if "X" not in members:
                    held = ", ".join(shown(name, 40) for name in list(members)[:5]) or "nothing"
                    raise UnreadableData(
                        f"{shown(path)} holds {held}; it needs X (rows, columns) and may hold y (rows)."
                    )
                arrays = {name: _array(path, archive, info) for name, info in members.items() if name in ("X", "y")}
        except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, ValueError) as error:
            raise UnreadableData(
                f"{shown(path)} is a damaged or foreign npz file: {shown(error)}. Save it again."
            ) from error
    return arrays, [shown(name, 40) for name in members if name not in ("X", "y")]


def _array(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> NDArray[Any]:
    name = info.filename.removesuffix(".npy")
    if info.file_size > LARGEST:
        raise UnreadableData(
            f"{shown(path)}: {name} unfolds to {info.file_size:,} bytes; at most {LARGEST:,} are read. "
            "Save it as Parquet."
        )
    with archive.open(info) as member:
        shape, dtype = _header(member)
        if dtype.kind not in "biuf":
            raise UnreadableData(f"{shown(path)}: {name} has type {dtype}; it has to be an array of plain numbers.")
        if int(np.prod(shape, dtype=object)) * dtype.itemsize > info.file_size:
            raise UnreadableData(
                f"{shown(path)}: {name} says it has shape {shape}, but the file ends before. Save it again."
            )
    with archive.open(info) as member:
        array: NDArray[Any] = np.lib.format.read_array(member, allow_pickle=False)
    return array


def _header(member: Any) -> tuple[tuple[int, ...], np.dtype[Any]]:
    version = np.lib.format.read_magic(member)
    read = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }.get(version)
    if read is None:
        raise ValueError(f"array format {version} is not known")
    shape, _, dtype = read(member)
    return shape, dtype
