"""One pass over a table: every column counted, labels read, equal rows found."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from agentad.flow import Column
from agentad.modalities.shown import shown
from agentad.modalities.table import labels
from agentad.modalities.table.groups import CellHashes
from agentad.modalities.table.kinds import FEWEST, LEFT_OUT, column
from agentad.modalities.table.tally import Tally

LISTED = 10


class Survey:
    """What is known of a table after all its frames went through `update`."""

    def __init__(self, names: Sequence[str]) -> None:
        self.rows = 0
        self._tallies = {name: Tally(name) for name in names}
        self._labels = {name: labels.LabelTally() for name in names if labels.rank(name) is not None}
        self._hashes = CellHashes(names)

    def update(self, frame: pl.DataFrame) -> None:
        """Count the next rows."""
        for name, tally in self._tallies.items():
            tally.update(frame[name])
        for name, tally_of_labels in self._labels.items():
            tally_of_labels.update(frame[name])
        held = [
            name
            for name, tally in self._tallies.items()
            if tally.unique or (name in self._labels and self._labels[name].possible)
        ]
        self._hashes.add(frame, held)
        self.rows += len(frame)

    def finish(self) -> Findings:
        """Decide. Call once, after the last frame."""
        by_rank = sorted(self._labels, key=lambda name: labels.rank(name) or 0)
        binary = [name for name in by_rank if self._labels[name].binary]
        columns, notes = [], list(self._label_notes(binary))
        for name, tally in self._tallies.items():
            found, said = column(tally, self._hashes.column(name) if tally.unique else None)
            if name in binary:
                found = found.model_copy(update={"kind": "label", "low": None, "high": None, "mean": None})
            else:
                notes += said
            columns.append(found)
            held = tally.unique or (name in self._labels and self._labels[name].possible)
            if held and found.kind not in ("identifier", "label"):
                self._hashes.release(name)
        columns = self._with_copies(columns)
        notes += _left_out(columns)
        label = self._labels[binary[0]].labels() if binary else np.full(self.rows, -1, np.int8)
        return Findings(tuple(columns), binary[0] if binary else None, label, self._hashes.groups(), tuple(notes))

    def _with_copies(self, columns: Sequence[Column]) -> list[Column]:
        """Columns told that they repeat another: the label, or else the first of its equals."""
        kind = {found.name: found.kind for found in columns}
        original: dict[str, str] = {}
        for names in self._hashes.equals() if self.rows >= FEWEST else ():
            first = next((name for name in names if kind[name] == "label"), names[0])
            original.update({name: first for name in names if name != first and kind[name] not in LEFT_OUT})
        return [found.model_copy(update={"same_as": original.get(found.name)}) for found in columns]

    def _label_notes(self, binary: Sequence[str]) -> Iterable[str]:
        for place, name in enumerate(binary):
            tally = self._labels[name]
            if place:
                yield f"Assumed: {shown(name, 40)} is a second label column; left out."
                continue
            yield _label_note(name, tally)
        for name in self._labels:
            if name not in binary and self._tallies[name].values:
                yield (
                    f"{shown(name, 40)} is named like a label but does not hold two values that mean normal and "
                    "anomalous; it is used as an ordinary column. Take it out if it is the answer."
                )


class Findings:
    """The outcome of a survey."""

    def __init__(
        self,
        columns: tuple[Column, ...],
        label_column: str | None,
        label: NDArray[np.int8],
        group: NDArray[np.int64],
        notes: tuple[str, ...],
    ) -> None:
        self.columns = columns
        self.label_column = label_column
        self.label = label
        """(n,) 0 normal, 1 anomalous, -1 unknown."""
        self.group = group
        """(n,) rows of one group are equal but for identifier and label."""
        self.notes = notes


def _left_out(columns: Sequence[Column]) -> Iterable[str]:
    """One note for all constants and one for all copies: wide tables have hundreds."""
    constant = [shown(found.name, 40) for found in columns if found.kind == "constant"]
    if constant:
        yield f"The same value in every row, so left out: {_listed(constant)}."
    copies = [
        f"{shown(found.name, 40)} (same as {shown(found.same_as, 40)})"
        for found in columns
        if found.same_as is not None
    ]
    if copies:
        yield f"The same cells as another column, so left out: {_listed(copies)}."


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - LISTED:,} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more


def _label_note(name: str, tally: labels.LabelTally) -> str:
    values = dict(sorted(tally.values.items()))
    if tally.anomalous is None:
        return f"Assumed: {shown(name, 40)} is the label, and its only value {next(iter(values))} means normal."
    share = values[tally.anomalous] / sum(values.values())
    note = f"Assumed: {shown(name, 40)} is the label, and {tally.anomalous} means anomalous ({share:.2%} of the rows)."
    if share > 0.5:
        note += " That is more than half: rename the column if it means something else."
    return note
