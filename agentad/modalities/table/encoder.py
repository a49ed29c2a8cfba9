"""Rows of a table as numbers, the same numbers for the same row whatever file it comes in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import ValidationError

from agentad.errors import DetectorRefused, InputError
from agentad.flow import Column, DataProfile
from agentad.modalities.shown import shown
from agentad.modalities.table.layout import Layout
from agentad.modalities.table.parts import PARTS, AnyPart, Levels, Words, fit_part
from agentad.modalities.table.parts.base import Allowed
from agentad.modalities.table.parts.levels import as_frequency

MAX_WIDTH = 2000
"""Encoded columns at most."""
MISSING_CELLS = "missing values"
"""Source name of the last encoded column: cells of a row missing where training had almost none missing."""


class TableEncoder:
    """Learns from training rows, turns any rows with the same columns into (n, d) float32.

    Numbers stay in their units: scaling is the detector's. What a column becomes: `agentad.modalities.table.parts`.
    A missing value becomes a typical one and raises a flag: the column's own where more than 0.1 % of the training
    values were missing, else one that all other columns share and that counts such cells.
    """

    def __init__(self) -> None:
        self._keep(())
        self._left_out: tuple[str, ...] = ()
        self.notes: tuple[str, ...] = ()
        """What `fit` left out to stay within `MAX_WIDTH`."""

    @property
    def columns(self) -> tuple[str, ...]:
        """(d,) source column of each encoded column."""
        own = [part.column for part in self._parts for _ in range(part.width + part.flag)]
        return (*own, MISSING_CELLS)

    @property
    def layout(self) -> Layout:
        """What the encoded columns are. Flags are categories too: missing or not."""
        source: list[int] = []
        category: list[int] = []
        flag: list[int] = []
        categories = 0
        for number, part in enumerate(self._parts):
            end = len(source) + part.width
            source += [number] * (part.width + part.flag)
            category += [categories if part.categorical else -1] * part.width
            flag += [end if part.flag else -1] * part.width
            categories += part.categorical
            if part.flag:
                category.append(categories)
                flag.append(-1)
                categories += 1
        return Layout(np.array([*source, len(self._parts)]), np.array([*category, -1]), np.array([*flag, -1]))

    def fit(self, frame: pl.DataFrame, profile: DataProfile) -> Self:
        """Learn from the training rows in `frame`; the kinds of columns come from the profile of the whole table.

        Raises:
            InputError: no column is left that could tell rows apart.
        """
        assert profile.table is not None  # noqa: S101  the graph gives tables to this encoder only
        fitted = [fit_part(column, frame[column.name]) for column in profile.table.columns]
        parts = [part for part in fitted if part is not None]
        if not parts:
            raise InputError(
                f"{shown(profile.root)} has no column that could tell rows apart: {_kinds(profile.table.columns)}."
            )
        kept, self.notes = self._within_bounds(parts, frame)
        self._keep(kept)
        used = {part.column for part in self._parts}
        self._left_out = tuple(column.name for column in profile.table.columns if column.name not in used)
        return self

    def encode(self, frame: pl.DataFrame) -> NDArray[np.float32]:
        """(n, d) for n rows with the columns of the training rows, in any order, and perhaps others.

        Raises:
            InputError: columns are missing; names them, and those that were not expected.
        """
        self.check(frame.columns)
        out = np.zeros((len(frame), len(self.columns)), np.float32)
        at = 0
        for part in self._parts:
            values, missing = part.encode(frame[part.column])
            out[:, at : at + part.width] = values
            at += part.width
            out[:, at if part.flag else -1] += missing
            at += part.flag
        return out

    def decode(
        self, encoded: NDArray[Any], *, seed: int = 0, stretch: float = 0.0, seen: NDArray[Any] | None = None
    ) -> pl.DataFrame:
        """Rows whose encoding is near (n, d): one column for each that the encoder learned, every cell valid.

        Integers are whole and decimals as many as in training, categories are among those learned, moments exist and
        agree with their hour and weekday, and a cell is missing exactly where its flag says so. Encoding the result
        again shows what was changed on the way.

        Args:
            encoded: such as `encode` returns, or what a model makes of it.
            seed: decides between cells that are equally near, as levels of the same frequency are.
            stretch: how far numbers may leave the known range, in units of its width.
            seen: (k, d) encoded rows whose values are known to be valid besides those of training.
        """
        generator = np.random.default_rng(seed)
        absent = self._absent(encoded, generator)
        known = encoded[:0] if seen is None else seen
        columns, at = [], 0
        for part, missing in zip(self._parts, absent.T, strict=True):
            own = slice(at, at + part.width)
            cells = part.decode(encoded[:, own], Allowed(stretch, known[:, own]), generator)
            columns.append(cells.set(pl.Series(missing), None) if missing.any() else cells)
            at += part.width + part.flag
        return pl.DataFrame(columns)

    def _absent(self, encoded: NDArray[Any], generator: np.random.Generator) -> NDArray[np.bool_]:
        """(n, parts) cells that are missing: by their own flag, or drawn to make up the count of the others."""
        flagged = np.array([part.flag for part in self._parts])
        ends = np.cumsum([part.width + part.flag for part in self._parts]) - 1
        own = encoded[:, ends] > 0.5
        rank = generator.permuted(np.tile(np.arange((~flagged).sum()), (len(encoded), 1)), axis=1)
        absent = np.where(flagged, own, False)
        absent[:, ~flagged] = rank < np.round(encoded[:, -1:])
        return absent

    def check(self, names: Sequence[str]) -> tuple[str, ...]:
        """Notes about columns that will be ignored.

        Raises:
            InputError: columns are missing; names them, and those that were not expected.
        """
        needed = [part.column for part in self._parts]
        lacking = [name for name in needed if name not in set(names)]
        spare = [name for name in names if name not in set(needed)]
        if lacking:
            strange = [name for name in spare if name not in set(self._left_out)]
            others = f" Columns it does not know: {_listed(strange)}." if strange else ""
            raise InputError(
                f"The table lacks columns that the detector learned from: {_listed(lacking)}.{others} "
                "Rename or add columns so that the names agree."
            )
        return (f"Columns that the detector does not use: {_listed(spare)}.",) if spare else ()

    def part(self, column: str) -> AnyPart | None:
        """How `column` becomes numbers, None where it does not."""
        return self._place[column][0] if column in self._place else None

    def actual(self, frame: pl.DataFrame, row: int, column: str) -> str:
        """The cell as it stands in `frame`, on one line."""
        if column in frame.columns:
            value = frame[column][row]
            return "missing" if value is None else shown(value, 80)
        missing = [p.column for p in self._parts if not p.flag and p.encode(frame[p.column][row : row + 1])[1][0]]
        return _listed(missing) if missing else "none"

    def expected(self, column: str, encoded: NDArray[Any]) -> str:
        """What an encoded row (d,), such as a denoised one, says about a source column, in the column's own terms."""
        if column in self._place:
            part, at = self._place[column]
            end = at + part.width
            return "missing" if part.flag and encoded[end] > 0.5 else part.text(encoded[at:end])
        return "none" if encoded[-1] < 0.5 else f"{encoded[-1]:.0f} missing"

    def state(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Everything `restore` needs: arrays, and settings that survive JSON."""
        settings = {
            "parts": PARTS.dump_python(self._parts, mode="json"),
            "left_out": list(self._left_out),
            "notes": list(self.notes),
        }
        return {_topics(k): part.topics for k, part in enumerate(self._parts) if isinstance(part, Words)}, settings

    @classmethod
    def restore(cls, arrays: dict[str, NDArray[Any]], settings: dict[str, Any]) -> Self:
        """The encoder that `state` came from.

        Raises:
            DetectorRefused: the settings are not those of a table encoder.
        """
        try:
            encoder = cls()
            parts = [
                {**part, "topics": arrays[_topics(k)]} if part.get("kind") == "words" else part
                for k, part in enumerate(settings["parts"])
            ]
            encoder._keep(PARTS.validate_python(parts))
            encoder._left_out = tuple(settings["left_out"])
            encoder.notes = tuple(settings["notes"])
        except (KeyError, TypeError, AttributeError, ValidationError) as error:
            raise DetectorRefused(
                f"The table encoder's settings are damaged or too new: {shown(error)}. Fit it again."
            ) from error
        return encoder

    def _keep(self, parts: tuple[AnyPart, ...]) -> None:
        """Encode with these, each known by its column and found where it starts."""
        self._parts = parts
        ends = np.cumsum([part.width + part.flag for part in parts], dtype=np.int64).tolist()
        starts = [0, *ends][: len(parts)]
        self._place = {part.column: (part, start) for part, start in zip(parts, starts, strict=True)}

    def _within_bounds(self, parts: list[AnyPart], frame: pl.DataFrame) -> tuple[tuple[AnyPart, ...], tuple[str, ...]]:
        """Categories give way first, then the last columns of the table."""
        room = MAX_WIDTH - 1
        if sum(part.width + part.flag for part in parts) <= room:
            return tuple(parts), ()
        parts = [as_frequency(p.column, frame[p.column]) if isinstance(p, Levels) else p for p in parts]
        ends = np.cumsum([part.width + part.flag for part in parts])
        kept = int(np.searchsorted(ends, room, side="right"))
        note = f"The table is too wide for {MAX_WIDTH:,} encoded columns: categories count by how common they are"
        if kept < len(parts):
            note += f", and its last {len(parts) - kept:,} columns are left out"
        return tuple(parts[:kept]), (note + ".",)


def _topics(place: int) -> str:
    """Name of the array of the part at `place`."""
    return f"topics.{place}"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(shown(name, 40) for name in names[:10]) + (
        f" and {len(names) - 10} more" if len(names) > 10 else ""
    )


def _kinds(columns: Sequence[Column]) -> str:
    return ", ".join(f"{shown(column.name, 40)} is {column.kind}" for column in columns[:10])
