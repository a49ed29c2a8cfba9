"""Encoded rows taken apart into numbers and categories, missing ones marked, and put together again."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from agentad.detectors.base import Floats, Ints
from agentad.modalities.table.layout import Layout

NO, YES, OTHER = range(3)
"""Levels of a category with one encoded column. A value that is neither, though training had no such, is `OTHER`."""

MANY = 200
"""Categories with one encoded column, up to which they are categories."""


@dataclass(frozen=True)
class MixedRows:
    """How d encoded columns become a numbers and c categories, which have l levels in all.

    A row apart is (a + l,): the numbers, NaN where missing, then for each category its levels, one of which is 1, or
    none where it is missing. Numbers and categories together are `a + c` values.
    """

    layout: Layout

    @classmethod
    def of(cls, layout: Layout | None, dim: int) -> Self:
        """By `layout`; without one all columns are numbers from a source of their own, NaN where missing.

        Of more than `MANY` categories with one encoded column all become numbers: their levels are three times as many.
        """
        if layout is None:
            return cls(Layout(np.arange(dim), np.full(dim, -1), np.full(dim, -1)))
        category = layout.category
        single = (category >= 0) & (np.bincount(category + 1)[category + 1] == 1)
        if single.sum() <= MANY:
            return cls(layout)
        kept = np.unique(category[(category >= 0) & ~single])
        renumbered = np.where(single | (category < 0), -1, np.searchsorted(kept, category))
        return cls(Layout(layout.source, renumbered, layout.flag))

    @cached_property
    def numbers(self) -> Ints:
        """(a,) encoded column of each number."""
        return np.flatnonzero(self.layout.category < 0)

    @cached_property
    def _levels(self) -> tuple[Ints, Ints, Ints]:
        """Of each level (l,): its category, its encoded column, and NO, YES or OTHER."""
        found: list[tuple[int, int, int]] = []
        for category in range(int(self.layout.category.max(initial=-1)) + 1):
            columns = np.flatnonzero(self.layout.category == category)
            means = (YES,) if len(columns) > 1 else (NO, YES, OTHER)
            found += [(category, int(column), mean) for column in columns for mean in means]
        table = np.array(found, dtype=np.int64).reshape(-1, 3)
        return table[:, 0], table[:, 1], table[:, 2]

    @cached_property
    def sizes(self) -> Ints:
        """(c,) levels of each category."""
        return np.bincount(self._levels[0])

    @cached_property
    def places(self) -> Ints:
        """(l,) the place of each level among those of its category."""
        return np.concatenate([np.arange(size) for size in self.sizes] or [np.zeros(0, np.int64)])

    @property
    def category(self) -> Ints:
        """(l,) the category of each level."""
        return self._levels[0]

    @cached_property
    def source(self) -> Ints:
        """(a + c,) source column of each value."""
        first = self._levels[1][self.places == 0]
        source: Ints = self.layout.source[np.concatenate([self.numbers, first])]
        return source

    def apart(self, x: Floats) -> Floats:
        """Encoded rows (n, d) apart (n, a + l)."""
        flag = self.layout.flag
        gone = np.asarray(x[:, flag] > 0.5) & (flag >= 0)
        values: Floats = np.where(gone, np.nan, x)
        _, column, mean = self._levels
        own = values[:, column]
        is_no, is_yes = np.abs(own) < 0.5, np.abs(own - 1) < 0.5
        is_other = np.isfinite(own) & ~is_no & ~is_yes
        levels = np.select([mean == NO, mean == YES], [is_no, is_yes], is_other)
        return np.concatenate([values[:, self.numbers], levels.astype(x.dtype)], axis=1)

    def there(self, apart: Floats) -> NDArray[np.bool_]:
        """(n, a + c) which values are not missing."""
        a = len(self.numbers)
        known = [apart[:, a:][:, self.category == k].any(axis=1, keepdims=True) for k in range(len(self.sizes))]
        return np.concatenate([np.isfinite(apart[:, :a]), *known], axis=1)

    def together(self, apart: Floats) -> Floats:
        """Encoded rows (n, d) of rows apart (n, a + l), whose levels may be probabilities."""
        a = len(self.numbers)
        _, column, mean = self._levels
        out = np.zeros((len(apart), len(self.layout.source)), apart.dtype)
        out[:, self.numbers] = apart[:, :a]
        out[:, column[mean == YES]] = apart[:, a:][:, mean == YES]
        return out

    def by_column(self, parts: Floats, apart: Floats) -> Floats:
        """What values contribute (n, a + c) as (n, d): a category's part is with the level that the row has."""
        a = len(self.numbers)
        out = np.zeros((len(parts), len(self.layout.source)), parts.dtype)
        out[:, self.numbers] = parts[:, :a]
        own = parts[:, a:][:, self.category] * apart[:, a:]
        for level, column in enumerate(self._levels[1]):
            out[:, column] += own[:, level]
        return out

    def arrays(self) -> dict[str, NDArray[Any]]:
        """For safetensors."""
        return {"source": self.layout.source, "category": self.layout.category, "flag": self.layout.flag}
