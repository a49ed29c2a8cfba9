"""Names of rows, made when asked for: as texts in memory those of ten million rows would take a gigabyte."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


class RowIds:
    """The row number from 0 in each file, after what the file is called by (`modalities.items.Ids`).

    Args:
        prefixes: of each file in turn, such as `file.csv:`; empty for a file that is the whole table.
        rows: how many rows each has.
    """

    def __init__(self, prefixes: Sequence[str], rows: Sequence[int]) -> None:
        self._prefixes = prefixes
        self._ends = np.cumsum(rows)

    def __len__(self) -> int:
        """Rows of all files."""
        return int(self._ends[-1])

    def __iter__(self) -> Iterator[str]:
        """See `Ids`."""
        return iter(self.tolist())

    def __getitem__(self, index: Any) -> Any:
        """See `Ids`."""
        if np.ndim(index) == 0 and not isinstance(index, slice):
            place = operator.index(index)
            return self._texts(np.array([range(len(self))[place]]))[0]
        return self._texts(np.arange(len(self))[index])

    def tolist(self) -> list[str]:
        """All of them."""
        return list(self[:])

    def _texts(self, places: NDArray[np.int64]) -> NDArray[np.object_]:
        file = np.searchsorted(self._ends, places, side="right")
        first = np.append(0, self._ends)[file]
        texts = np.empty(len(places), dtype=object)
        texts[:] = [
            f"{self._prefixes[k]}{row}" for k, row in zip(file.tolist(), (places - first).tolist(), strict=True)
        ]
        return texts
