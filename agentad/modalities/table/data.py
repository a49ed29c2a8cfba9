"""A table on disk as items: what it holds, its rows in chunks, any of its rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from agentad.errors import UnreadableData
from agentad.flow import DataProfile, TableFacts
from agentad.modalities.items import Items
from agentad.modalities.shown import encodable, shown
from agentad.modalities.table import files, labels
from agentad.modalities.table.ids import RowIds
from agentad.modalities.table.npz_file import NpzFile
from agentad.modalities.table.parquet_file import ParquetFile
from agentad.modalities.table.source import MAX_ROWS, Losses, Source
from agentad.modalities.table.survey import Findings, Survey
from agentad.modalities.table.text_file import NotUtf8, TextFile

REMEMBERED = 64 << 20
"""Bytes of rows that are kept after they were taken, so that a sample is read once however often it is asked for."""


class TableData:
    """A table that was looked at once. Its rows stay on disk."""

    def __init__(self, root: Path, parts: Sequence[Source], rows: Sequence[int], profile: DataProfile, found: Findings):
        self.profile = profile
        self._root = root
        self._parts = parts
        self._rows = rows
        self._found = found
        self._taken: tuple[NDArray[np.integer[Any]], pl.DataFrame] = (np.zeros(0, np.int64), pl.DataFrame())

    @cached_property
    def items(self) -> Items:
        """One item a row. Ids are row numbers from 0, in a folder `file.csv:12`; rows that cannot be read have none."""
        n = sum(self._rows)
        return Items(
            id=RowIds([self._prefix(part) for part in self._parts], self._rows),
            label=self._found.label,
            kind=_same("", n),
            group=self._found.group,
            given=_same("", n) if len(self._parts) == 1 else np.repeat(self._given(), self._rows),
        )

    def chunks(self) -> Iterator[pl.DataFrame]:
        """All rows in order, at most 65,536 at a time, all columns as they are on disk.

        Cells of text files are text, trimmed, null where missing. `TableEncoder` reads them as the kinds it learned, so
        that a file with a few rows means the same as one with many. It takes no label column.
        """
        for part in self._parts:
            yield from _frames(part, self.columns)

    def take(self, index: NDArray[np.integer[Any]]) -> pl.DataFrame:
        """The rows at `index`, in that order. Reads the file up to the last of them, unless they are `remembered`."""
        wanted, back = np.unique(index, return_inverse=True)
        if len(wanted) and not 0 <= wanted[0] <= wanted[-1] < self.profile.items:
            raise IndexError(f"rows {wanted[0]} to {wanted[-1]} of a table of {self.profile.items}")
        frame = self.remembered(wanted)
        if frame is None:
            frame = self._read(wanted)
            if frame.estimated_size() <= REMEMBERED:
                self._taken = wanted, frame
        return frame[np.asarray(back, np.int64)]

    def remembered(self, index: NDArray[np.integer[Any]]) -> pl.DataFrame | None:
        """The rows at `index`, in that order, if all of them were among those that `take` read last."""
        rows, frame = self._taken
        if not 0 < len(index) <= len(rows) or not np.isin(index, rows).all():
            return None
        return frame[np.searchsorted(rows, index)]

    def _read(self, wanted: NDArray[np.integer[Any]]) -> pl.DataFrame:
        """The rows at `wanted`, sorted."""
        taken, start, done = list[pl.DataFrame](), 0, 0
        for frame in self.chunks():
            if taken and done == len(wanted):
                break
            end = int(np.searchsorted(wanted, start + len(frame)))
            taken.append(frame[wanted[done:end] - start])
            start, done = start + len(frame), end
        return pl.concat(taken, how="vertical_relaxed")

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of all columns, in the order of the first file."""
        assert self.profile.table is not None  # noqa: S101  set for every table by `open_table`
        return tuple(column.name for column in self.profile.table.columns)

    def _prefix(self, part: Source) -> str:
        return "" if part.path == self._root else f"{encodable(part.path.relative_to(self._root).as_posix())}:"

    def _given(self) -> NDArray[np.object_]:
        return np.array([_side(part.path.relative_to(self._root)) for part in self._parts], dtype=object)


def recognise(path: Path) -> bool:
    """Whether `path` is named like a table, or is a folder with some table and no image. Opens no file."""
    if not path.is_dir():
        return files.is_regular(path) and path.name.lower().endswith(files.TABLE)
    try:
        names = [file.name.lower() for file, _ in zip(files.walk(path), range(files.MAX_FILES), strict=False)]
    except UnreadableData:
        return False
    return any(name.endswith(files.TABLE) for name in names) and not any(name.endswith(files.IMAGE) for name in names)


def open_table(path: Path) -> TableData:
    """Look at a table file, or at a folder of parts with the same columns.

    Raises:
        UnreadableData: names the file, what is wrong, and the way out.
    """
    found = files.find(path)
    parts, rows, findings, losses = _survey(found)
    notes = dict.fromkeys(note for part in parts for note in part.notes)
    if any(file.stat().st_size > files.HASHED_WHOLE for file in found.files):
        notes["Files above 256 MiB are told apart by size, time of change, first and last mebibyte."] = None
    if losses.count:
        notes[f"{losses.count:,} rows with a wrong number of cells were skipped; rows are numbered without them."] = (
            None
        )
    label = findings.label
    profile = DataProfile(
        modality="table",
        root=encodable(str(path.absolute())),
        layout=_layout(parts[0]),
        fingerprint=files.fingerprint(found),
        items=len(label),
        normal=int((label == 0).sum()),
        anomalous=int((label == 1).sum()),
        unlabelled=int((label < 0).sum()),
        groups=int(findings.group.max()) + 1,
        table=TableFacts(
            rows=len(label),
            columns=findings.columns,
            label_column=findings.label_column,
            delimiter=parts[0].delimiter,
            encoding=parts[0].encoding,
        ),
        skipped=(*found.skipped, *losses.listed)[: files.LISTED],
        n_skipped=found.n_skipped + losses.count,
        notes=(*notes, *findings.notes),
    )
    return TableData(found.root, parts, rows, profile, findings)


def _survey(found: files.Found, encoding: str | None = None) -> tuple[list[Source], list[int], Findings, Losses]:
    """Every part opened and read once. A stray byte in what looked like UTF-8 makes all text parts Windows-1252."""
    parts = _parts(found, encoding)
    names = _all_names(found, parts)
    survey, rows, losses = Survey(names), list[int](), Losses()
    try:
        for part in parts:
            before = survey.rows
            for frame in _frames(part, names, losses):
                survey.update(frame)
                if survey.rows > MAX_ROWS:
                    raise UnreadableData(f"{shown(part.path)}: more than {MAX_ROWS:,} rows. Take a sample of them.")
            rows.append(survey.rows - before)
    except NotUtf8:
        return _survey(found, "cp1252")
    if not survey.rows:
        raise UnreadableData(f"{shown(found.root)} has a header but no rows. Export it again, with its data.")
    return parts, rows, survey.finish(), losses


def _parts(found: files.Found, encoding: str | None) -> list[Source]:
    formats = {_suffix(file) for file in found.files}
    if len(formats) > 1 or (formats == {"npz"} and len(found.files) > 1):
        listed = ", ".join(shown(file.name, 40) for file in found.files[:5])
        raise UnreadableData(
            f"{shown(found.root)} holds tables that do not belong together ({listed}). Point at one of them."
        )
    parts: list[Source] = []
    for file in found.files:
        if formats == {"npz"}:
            parts.append(NpzFile(file))
        elif formats == {"parquet"}:
            parts.append(ParquetFile(file))
        else:
            parts.append(TextFile(file, like=parts[0].names if parts else (), encoding=encoding))
    return parts


def _all_names(found: files.Found, parts: Sequence[Source]) -> tuple[str, ...]:
    """The columns of all parts: those of the first, and label columns that only some have."""
    names = dict.fromkeys(parts[0].names)
    for part in parts[1:]:
        names.update(dict.fromkeys(part.names))
    for part in parts:
        other = [name for name in names if name not in set(part.names) and labels.rank(name) is None]
        if other:
            listed = ", ".join(shown(name, 40) for name in other[:5])
            raise UnreadableData(
                f"{shown(part.path)} does not have the columns of the other tables in {shown(found.root)} "
                f"(missing: {listed}). Point at one table, or give all parts the same columns."
            )
    return tuple(names)


def _frames(part: Source, names: Sequence[str], losses: Losses | None = None) -> Iterator[pl.DataFrame]:
    """A part's frames with the columns of the whole table; a label column it lacks is null."""
    lacking = [pl.lit(None, dtype=pl.String).alias(name) for name in names if name not in set(part.names)]
    for frame in part.frames(losses):
        yield frame.with_columns(lacking).select(names)


def _same(text: str, n: int) -> NDArray[np.object_]:
    """(n,) one text in every place, held once."""
    return np.broadcast_to(np.array(text, dtype=object), (n,))


def _suffix(file: Path) -> str:
    name = file.name.lower()
    return "npz" if name.endswith(files.NPZ) else "parquet" if name.endswith(files.PARQUET) else "csv"


def _layout(part: Source) -> str:
    return _suffix(part.path)


def _side(path: Path) -> str:
    """`train` or `test` where the file's name, or its folder's, says so."""
    words = [word for piece in path.with_suffix("").parts for word in _words(piece)]
    sides = {word.removesuffix("ing") for word in words if word in ("train", "training", "test", "testing")}
    return sides.pop() if len(sides) == 1 else ""


def _words(name: str) -> list[str]:
    return "".join(character if character.isalpha() else " " for character in name.lower()).split()
