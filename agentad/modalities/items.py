"""The list of things to score: one entry an item, whatever the modality."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Items:
    """n items as parallel arrays."""

    id: NDArray[np.object_]
    """(n,) str: path relative to the data root with forward slashes, or the row number from 0 as text."""
    label: NDArray[np.int8]
    """(n,) 0 normal, 1 anomalous, -1 unknown."""
    kind: NDArray[np.object_]
    """(n,) str: anomaly type, or empty."""
    group: NDArray[np.int64]
    """(n,) items of one group (near-duplicates, shared sources) are never parted by a split."""
    given: NDArray[np.object_]
    """(n,) `train`, `test`, or empty where the layout does not say."""

    def __len__(self) -> int:
        return len(self.id)

    def take(self, index: NDArray[Any]) -> Items:
        """The items at `index` (integers or a mask), in that order."""
        return Items(self.id[index], self.label[index], self.kind[index], self.group[index], self.given[index])
