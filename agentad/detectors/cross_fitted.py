"""Detectors of table rows whose method is fitted as a whole and cannot leave a row out.

Rows are put in standard deviations of their columns. New rows are judged by one model of all of them; each training row
is judged by a model of the other folds, so that its score is what a new row like it would get. Only the scaling, two
numbers a column, has seen every row.

Such methods name neither the columns that drove a score nor an expected row: `local` and `expected` stay None.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from agentad.detectors.base import Floats, Ints, Scores, State
from agentad.detectors.folds import group_folds
from agentad.detectors.robust import Scaling, scalings
from agentad.errors import InputError

FOLDS = 5


class RowModel(Protocol):
    """What was learned from scaled rows."""

    def judge(self, z: Floats) -> Floats:
        """Scores (m,) of scaled rows (m, d), each finite. Higher = more anomalous."""
        ...

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Everything that was learned, by names other than `centre` and `scale`."""
        ...


class CrossFitted(ABC):
    """A detector made of a `RowModel`. Encoded rows are (n, d), unscaled."""

    held_out: Scores
    LEAST: ClassVar[int] = 2
    """Fewest rows that the method can learn from."""

    def fit(self, x: Floats, *, groups: Ints | None = None, seed: int = 0) -> Self:
        """Learn from the rows x (n, d), and score each by a model of the folds it is not in.

        Raises:
            InputError: fewer than two groups, or too few rows outside one of the folds.
        """
        groups = np.arange(len(x)) if groups is None else np.asarray(groups)
        self._seed = seed
        self._scaling = scalings(x)[0]
        z = self._scaling.apply(x)
        fold = group_folds(groups, FOLDS, seed)
        used = self._used(len(z), seed)
        item = np.empty(len(z))
        for k in range(int(fold.max()) + 1):
            item[fold == k] = self._checked(z[used & (fold != k)], seed).judge(z[fold == k])
        self._model = self._checked(z[used], seed)
        self.held_out = Scores(item)
        return self

    def score(self, x: Floats) -> Scores:
        """Scores of rows (m, d)."""
        return Scores(self._model.judge(self._scaling.apply(x)))

    def state(self) -> State:
        """The scaling, what was learned, and the seed."""
        scaling = {"centre": self._scaling.centre, "scale": self._scaling.scale}
        return State(scaling | self._model.arrays(), {**self.settings(), "seed": self._seed})

    @classmethod
    def restore(cls, state: State) -> Self:
        """The detector that `state` came from, without `held_out`."""
        arrays = dict(state.arrays)
        self = cls(**{name: value for name, value in state.settings.items() if name != "seed"})
        self._seed = int(state.settings["seed"])
        self._scaling = Scaling(arrays.pop("centre"), arrays.pop("scale"))
        self._model = self._restored(arrays)
        return self

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """The constructor's parameters."""

    @abstractmethod
    def _learn(self, z: Floats, seed: int) -> RowModel:
        """A model of the scaled rows z (n, d), at least `LEAST`."""

    @abstractmethod
    def _restored(self, arrays: dict[str, NDArray[Any]]) -> RowModel:
        """The model whose `arrays` these are."""

    def _used(self, n: int, seed: int) -> NDArray[np.bool_]:
        """Which of n rows are learned from: all, unless a method bounds them."""
        return np.ones(n, dtype=bool)

    def _checked(self, z: Floats, seed: int) -> RowModel:
        if len(z) < self.LEAST:
            raise InputError(
                f"{len(z)} row(s) are left to learn from where others are held out, at least {self.LEAST} are needed; "
                "give more rows, of more groups"
            )
        return self._learn(z, seed)
