"""The list of things to score: one entry an item, whatever the modality."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class Ids(Protocol):
    """n texts that behave as an array (n,) of them: there already, or made when asked for."""

    def __len__(self) -> int:
        """How many there are."""
        ...

    def __iter__(self) -> Iterator[str]:
        """One after the other."""
        ...

    def __getitem__(self, index: Any) -> Any:
        """The text at a place, or an array of the texts at many (integers, a mask or a slice)."""
        ...


@dataclass(frozen=True)
class Items:
    """n items as parallel arrays."""

    id: Ids
    """(n,) str: path relative to the data root with forward slashes, or the row number from 0 as text."""
    label: NDArray[np.int8]
    """(n,) 0 normal, 1 anomalous, -1 unknown."""
    kind: NDArray[np.object_]
    """(n,) str: anomaly type, or empty."""
    group: NDArray[np.int64]
    """(n,) items of one group (near-duplicates, shared sources) are never parted by a split."""
    given: NDArray[np.object_]
    """(n,) `train`, `test`, or empty where the layout does not say."""
    category: NDArray[np.object_] | None = None
    """(n,) str: which of several data sets side by side an item is of, empty where that is not known; None where there
    is only one."""

    def __len__(self) -> int:
        return len(self.id)

    def take(self, index: NDArray[Any]) -> Items:
        """The items at `index` (integers or a mask), in that order."""
        category = None if self.category is None else self.category[index]
        return Items(
            self.id[index], self.label[index], self.kind[index], self.group[index], self.given[index], category
        )
