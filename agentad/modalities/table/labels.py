"""The column that says which rows are anomalous, recognised by its name and its two values."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np
import polars as pl
from numpy.typing import NDArray

from agentad.modalities.table.values import numbers

NAMES = (
    "is_anomaly",
    "anomaly",
    "is_anomalous",
    "anomalous",
    "anomaly_label",
    "is_outlier",
    "outlier",
    "outlier_label",
    "is_fraud",
    "isfraud",
    "fraud",
    "is_attack",
    "attack",
    "normal_attack",
    "label",
    "labels",
    "ground_truth",
    "target",
    "class",
    "y",
)
"""Most telling first: where several columns qualify, the first is the label and the others are left out."""

NORMAL = ("0", "false", "no", "n", "normal", "benign", "inlier", "legit", "legitimate", "genuine", "good", "ok")
ANOMALOUS = (
    "1", "true", "yes", "y", "anomaly", "anomalous", "anomalie", "abnormal", "outlier", "attack", "fraud", "fraudulent",
    "malicious", "intrusion", "bad", "defect", "defective", "faulty", "fault", "not ok", "nok",
)  # fmt: skip
MINUS = "-1"
_CODES = {**dict.fromkeys(NORMAL, 0), **dict.fromkeys(ANOMALOUS, 1), MINUS: 2}
_OTHER = 3


def rank(name: str) -> int | None:
    """Place of a column's name among `NAMES`, None for a name that says nothing."""
    plain = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    return NAMES.index(plain) if plain in NAMES else None


class LabelTally:
    """What a column with a telling name holds, chunk by chunk."""

    def __init__(self) -> None:
        self._codes: list[NDArray[np.int8]] = []
        self.values: Counter[str] = Counter()
        self.possible = True

    def update(self, series: pl.Series) -> None:
        """Count the values; gives up at the first that is no word for normal or anomalous."""
        if not self.possible:
            return
        words = _words(series)
        found = words.drop_nulls().value_counts(sort=False)
        self.values.update(dict(found.iter_rows()))
        if len(self.values) > 4 or any(value not in _CODES for value in self.values):
            self.possible, self._codes = False, []
            return
        codes = words.replace_strict(_CODES, default=None, return_dtype=pl.Int8).fill_null(-1)
        self._codes.append(codes.to_numpy().astype(np.int8))

    @property
    def binary(self) -> bool:
        """Whether the column is a label: at least one value, at most two, and not two words for the same."""
        meanings = [_CODES[value] for value in self.values] if self.possible else []
        return 1 <= len(meanings) <= 2 and len(set(meanings)) == len(meanings)

    def labels(self) -> NDArray[np.int8]:
        """(n,) 0 normal, 1 anomalous, -1 missing."""
        codes = np.concatenate(self._codes)
        out = np.where(codes >= 0, codes, -1).astype(np.int8)
        for value in self.values:
            out[codes == _CODES[value]] = value == self.anomalous
        return out

    @property
    def anomalous(self) -> str | None:
        """The value that means anomalous: the one so named; of -1 and another the rarer, -1 on a tie."""
        if MINUS in self.values:
            other = max((count for value, count in self.values.items() if value != MINUS), default=None)
            if other is None or self.values[MINUS] <= other:
                return MINUS
            return next(value for value in self.values if value != MINUS)
        return next((value for value in self.values if _CODES[value] == 1), None)


def _words(series: pl.Series) -> pl.Series:
    """Lower-case text; whole numbers without a decimal point, truth values as words."""
    if series.dtype == pl.String:
        return series.str.to_lowercase().str.replace(r"^([+-]?\d+)\.0*$", "$1")
    if series.dtype == pl.Boolean or not series.dtype.is_numeric():
        return series.cast(pl.String).str.to_lowercase()
    values = numbers(series)
    whole = values.is_finite() & (values == values.floor()) & (values.abs() < 1e9)
    return (
        values.set(~whole.fill_null(False), None).cast(pl.Int64).cast(pl.String).set((~whole).fill_null(False), "other")
    )
