"""The road for tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from agentad.detectors.base import Floats, Scores
from agentad.detectors.inpainting import Inpainted, RowMemory
from agentad.errors import InputError
from agentad.flow import ColumnEvidence, Evidence, Modality
from agentad.modalities.shown import shown
from agentad.modalities.table import TableData, TableEncoder, open_table
from agentad.modalities.table import recognise as recognise_table
from agentad.store.arrays import load_state, save_state
from agentad.tools.road import Batch, Indices

if TYPE_CHECKING:
    from agentad.tools.fitted import FittedDetector


MODALITY: Modality = "table"
FIT_ITEMS = 20_000
COLUMNS_SHOWN = 3
CANDIDATES = 12
"""Columns with the largest contributions to a score that are held against what the other columns suggest.

Contributions of 0 included: a detector may leave the wrong value where it is and move all others towards it.
"""

look = open_table
recognise = recognise_table


def fit_encoder(encoder: TableEncoder, data: TableData, index: Indices) -> TableEncoder:
    """Learn levels, medians and ranges from the rows at `index`."""
    return encoder.fit(data.take(index), data.profile)


def most(encoder: TableEncoder) -> int:
    """Rows are small: no fewer than `FIT_ITEMS`."""
    return FIT_ITEMS


def blank(encoder: TableEncoder) -> Floats:
    """(1, d) zeros."""
    return np.zeros((1, len(encoder.columns)), np.float32)


def batches(encoder: TableEncoder, data: TableData, index: Indices) -> Iterator[Batch]:
    """One pass over the file, in row order; none for rows that were just taken."""
    try:
        encoder.check(data.columns)
    except InputError as error:
        raise InputError(f"{shown(data.profile.root)}: {error}") from error
    taken = data.remembered(index)
    if taken is not None:
        yield Batch(index, taken, encoder.encode(taken))
        return
    start = 0
    for frame in data.chunks():
        low, high = np.searchsorted(index, (start, start + len(frame)))
        if high > low:
            wanted = index[low:high]
            part = frame if high - low == len(frame) else frame[wanted - start]
            yield Batch(wanted, part, encoder.encode(part))
        start += len(frame)


def defects(data: TableData, index: Indices, grid: tuple[int, ...]) -> NDArray[np.bool_] | None:
    """Rows are normal or not as a whole."""
    return None


def learnable(data: TableData) -> NDArray[np.bool_]:
    """All rows."""
    return np.ones(len(data.items), np.bool_)


def copies(encoder: TableEncoder, data: TableData, index: Indices, how: str) -> Floats | None:
    """An altered row is another row."""
    return None


def save_encoder(encoder: TableEncoder, folder: Path) -> None:
    """Arrays and settings."""
    save_state(folder, *encoder.state())


def load_encoder(kind: type[TableEncoder], folder: Path) -> TableEncoder:
    """What `save_encoder` wrote."""
    return kind.restore(*load_state(folder))


def evidence(fitted: FittedDetector, data: TableData, batch: Batch, scores: Scores) -> Sequence[tuple[Evidence, ...]]:
    """The columns that drove each row's score, the value in the row beside the one expected.

    Where the detector keeps training rows to compare with, what is expected is told by the row's other columns, and so
    is which column drove the score; otherwise both are the detector's own.
    """
    if scores.local is None or scores.expected is None:
        return [()] * len(batch.index)
    encoder: TableEncoder = fitted.encoder
    names = list(dict.fromkeys(encoder.columns))
    owner = np.array([names.index(name) for name in encoder.columns])
    share = _share_by_column(scores.local, owner)
    memory = RowMemory.of(fitted.scorer)
    inpainted = None
    if memory is not None:
        inpainted = memory.inpaint(batch.x, owner, wanted=_largest(share, CANDIDATES))
        share = _share_by_surprise(share, inpainted)
    expected = scores.expected if inpainted is None else inpainted.expected

    def of(row: int, j: int) -> ColumnEvidence:
        found = ColumnEvidence(
            column=names[j],
            actual=encoder.actual(batch.raw, row, names[j]),
            expected=encoder.expected(names[j], expected[row]),
            share=float(share[row, j]),
        )
        return found if inpainted is None else found.model_copy(update=_beyond(encoder, inpainted, names, row, j))

    first = np.argsort(-share, axis=1, kind="stable")[:, :COLUMNS_SHOWN]
    return [tuple(of(row, int(j)) for j in first[row] if share[row, j] > 0) for row in range(len(share))]


def _largest(share: Floats, count: int) -> NDArray[np.bool_]:
    """Where each row of shares (n, s) has its `count` largest."""
    wanted = np.zeros(share.shape, dtype=bool)
    np.put_along_axis(wanted, np.argsort(-share, axis=1, kind="stable")[:, :count], values=True, axis=1)
    return wanted


def _share_by_surprise(share: Floats, inpainted: Inpainted) -> NDArray[np.float64]:
    """What the inpainted columns have of the shares (n, s), dealt anew in proportion to their squared surprise.

    A detector moves a row the shortest way, which need not be along the column that is wrong.
    """
    square = np.nan_to_num(inpainted.surprise) ** 2
    total = square.sum(axis=1, keepdims=True)
    own = np.where(np.isfinite(inpainted.surprise), share, 0).sum(axis=1, keepdims=True)
    return np.asarray(np.divide(square * own, total, out=np.zeros_like(square), where=total > 0))


def _beyond(encoder: TableEncoder, inpainted: Inpainted, names: Sequence[str], row: int, j: int) -> dict[str, str]:
    """The interval of a number, and the partner of the most surprising column."""
    said: dict[str, str] = {}
    part = encoder.part(names[j])
    if part is not None and part.kind == "number":
        ends = [encoder.expected(names[j], end[row]) for end in (inpainted.low, inpainted.high)]
        if "missing" not in ends:
            said["low"], said["high"] = ends
    if inpainted.partner[row] >= 0 and np.nanargmax(inpainted.surprise[row]) == j:
        said["partner"] = names[inpainted.partner[row]]
    return said


def _share_by_column(local: Floats, owner: Indices) -> NDArray[np.float64]:
    """(rows, source columns) from the contributions (rows, d) of encoded columns; rows sum to 1."""
    share = np.zeros((len(local), int(owner.max()) + 1))
    np.add.at(share.T, owner, np.maximum(local, 0).T.astype(np.float64))
    total = np.maximum(share.sum(1, keepdims=True), 1e-300)
    return np.asarray(share / total)


def peaks(local: Floats) -> None:
    """Rows have no regions."""


def write_maps(data: TableData, batch: Batch, scores: Scores, folder: Path) -> dict[int, str]:
    """Rows have no maps; their columns are in the evidence."""
    return {}


def full_map(data: TableData, i: int, local: Floats) -> Floats:
    """A row has no resolution of its own."""
    return local
