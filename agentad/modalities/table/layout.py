"""What the encoded columns of a table are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.integer[Any]]


@dataclass(frozen=True)
class Layout:
    """Which of d encoded columns belong together, are categories, and are missing when.

    A missing cell of a column that has no flag of its own is counted in the encoder's last column, and nothing says
    which cell it is, unless it is of a category with a column per level: then none of them is 1.
    """

    source: Ints
    """(d,) the source column of each, numbered from 0; a flag has that of the values it is about."""
    category: Ints
    """(d,) the category that each is a level of, numbered from 0, or -1 for a number.

    One level of a category is 1 and the others 0. A category with one encoded column is yes or no: 1 or 0."""
    flag: Ints
    """(d,) the encoded column that is 1 where the value of this one is missing, or -1 for none."""
