"""Finished rows in a file, one JSON object a line, so that a bench goes on where it was stopped."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

from agentad.errors import InputError
from agentad.store.atomic import made_folder, not_writable, write_text
from agentad.store.documents import LARGEST_JSON, read_text

Row = dict[str, Any]
Shots = int | None
"""How many labelled anomalies were learned from; None where the bench labels none."""
_Key = tuple[str, str, Shots, int]
_MADE_BY = "bench"


class Kept:
    """The rows of one bench in `path`. `made_by` addresses its code, data and arguments: other rows do not count."""

    def __init__(self, path: Path, made_by: str) -> None:
        self.path = path
        self._made_by = made_by
        self._rows: dict[_Key, Row] = {}
        self._read()

    def finished(self, dataset: str, detector: str, seed: int, shots: Shots = None) -> bool:
        """Whether there is such a row. One that failed is not finished: the next bench tries again."""
        return "error" not in self._rows.get((dataset, detector, shots, seed), {"error": "not there"})

    def add(self, row: Row) -> None:
        """Keep `row`, on disk before this returns."""
        self._rows[_key(row)] = row
        line = json.dumps({**row, _MADE_BY: self._made_by}, ensure_ascii=True, allow_nan=False)
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(line + "\n")
        except OSError as error:
            raise not_writable(self.path.parent, error) from error

    def rows(
        self, datasets: Sequence[str], detectors: Sequence[str], seeds: int, shots: Sequence[Shots] = (None,)
    ) -> list[Row]:
        """The rows asked for that are there, by data set, detector, shots and seed, in this order."""
        keys = product(datasets, detectors, shots, range(seeds))
        return [self._rows[key] for key in keys if key in self._rows]

    def _read(self) -> None:
        made_folder(self.path.parent)
        if not self.path.exists():
            return
        try:
            text = read_text(self.path, LARGEST_JSON)
        except (OSError, ValueError) as error:
            raise InputError(f"{self.path}: cannot be read ({error}); give another file with --out") from error
        if text and not text.endswith("\n"):  # a killed bench left half a line
            text = text[: text.rfind("\n") + 1]
            write_text(self.path, text)
        for number, line in enumerate(text.splitlines(), 1):
            row = self._parsed(number, line)
            if row.pop(_MADE_BY) == self._made_by:
                self._rows[_key(row)] = row

    def _parsed(self, number: int, line: str) -> Row:
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        if not isinstance(row, dict) or not {_MADE_BY, "dataset", "detector", "seed"} <= row.keys():
            raise InputError(f"{self.path}: line {number} is not a row of a bench; give another file with --out")
        return row


def _key(row: Row) -> _Key:
    return row["dataset"], row["detector"], row.get("shots"), row["seed"]
