"""Exact Euclidean nearest neighbours among a fixed set of reference rows.

FAISS shortlists with ‖q‖² + ‖r‖² − 2 q·r, which is fast and loses small distances between long vectors to cancellation.
So it is given rows centred on the references' mean, and the shortlist's distances are taken again as ‖q − r‖: a row is
at distance 0 from its copy.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from agentad.errors import InputError

Floats32 = NDArray[np.float32]
Ids = NDArray[np.int64]

LIMIT = 1e15
"""Largest magnitude a coordinate may have: squares still fit in float32."""
_SPARE = 4
"""Extra rows on the shortlist, so that cancellation does not decide who is on it."""
_WIDEST_FIRST_LOOK = 64
"""Members of its own group that a query is expected to meet; where it meets more, it is searched for without them."""
_BATCH = 8192


class Neighbours:
    """Reference rows to be searched.

    Args:
        references: (n, d), at least one row, finite, magnitudes up to `LIMIT`.
        groups: (n,) the group of each reference, needed to leave groups out.
        threads: threads a search may use.

    Raises:
        InputError: no rows, or a value that is not finite or too large.
    """

    def __init__(self, references: NDArray[Any], *, groups: NDArray[Any] | None = None, threads: int = 1) -> None:
        self.references = checked_rows(references, "references")
        if not len(self.references):
            raise InputError("there are no reference rows to search; give at least one")
        self._groups = None if groups is None else np.asarray(groups)
        self._largest_group = 0 if self._groups is None else int(np.unique(self._groups, return_counts=True)[1].max())
        self._threads = threads
        self._index = faiss.IndexFlatL2(self.references.shape[1])
        self._centre = self.references.mean(axis=0, dtype=np.float64).astype(np.float32)
        self._index.add(self.references - self._centre)

    def __len__(self) -> int:
        """How many references there are."""
        return len(self.references)

    def search(self, queries: NDArray[Any], k: int, *, leave_out: NDArray[Any] | None = None) -> tuple[Floats32, Ids]:
        """The k nearest references of each query, nearest first, ties by index.

        Args:
            queries: (m, d).
            k: neighbours wanted; more than there are leaves places empty.
            leave_out: (m,) group of each query, whose references do not count as neighbours of it.

        Returns:
            Distances (m, k) and reference indices (m, k); empty places hold infinity and -1.
        """
        q = checked_rows(queries, "queries")
        distances = np.full((len(q), k), np.inf, dtype=np.float32)
        indices = np.full((len(q), k), -1, dtype=np.int64)
        with faiss_settings(self._threads):
            for start in range(0, len(q), _BATCH):
                rows = slice(start, start + _BATCH)
                out = None if leave_out is None else np.asarray(leave_out)[rows]
                found = self._search_batch(q[rows], k, out)
                width = found[0].shape[1]
                distances[rows, :width], indices[rows, :width] = found
        return distances, indices

    def _search_batch(self, q: Floats32, k: int, leave_out: NDArray[Any] | None) -> tuple[Floats32, Ids]:
        look = min(k + _SPARE, len(self))
        if leave_out is None:
            distances, indices = measured(q, self.references, self._index.search(q - self._centre, look)[1])
            return distances[:, :k], indices[:, :k]
        if self._groups is None:
            raise InputError("references have no groups; give `groups` to leave some out")
        wide = min(look + min(self._largest_group, _WIDEST_FIRST_LOOK), len(self))
        found = self._index.search(q - self._centre, wide)[1]
        distances, indices = measured(
            q, self.references, np.where(self._groups[found] == leave_out[:, None], -1, found)
        )
        distances, indices = distances[:, :look], indices[:, :look]
        short = np.flatnonzero(~np.isfinite(distances).all(axis=1)) if wide < len(self) else np.zeros(0, np.int64)
        for group in np.unique(leave_out[short]):  # a large group fills these shortlists: search without it
            rows = short[leave_out[short] == group]
            distances[rows], indices[rows] = self._without(group, q[rows], look)
        return distances[:, :k], indices[:, :k]

    def _without(self, group: Any, q: Floats32, look: int) -> tuple[Floats32, Ids]:
        """Distances (m, look) to and indices of the nearest references that are not of `group`."""
        others = np.flatnonzero(self._groups != group)
        indices = np.full((len(q), look), -1, dtype=np.int64)
        if len(others):
            index = faiss.IndexFlatL2(q.shape[1])
            index.add(self.references[others] - self._centre)
            found = index.search(q - self._centre, min(look, len(others)))[1]
            indices[:, : found.shape[1]] = others[found]
        return measured(q, self.references, indices)


def measured(q: Floats32, references: Floats32, indices: Ids) -> tuple[Floats32, Ids]:
    """The shortlist (m, l), -1 for none, of queries (m, d) by distances taken again: nearest first, ties by index."""
    squared = np.empty(indices.shape, dtype=np.float32)
    known = np.maximum(indices, 0)
    pointers = (faiss.swig_ptr(a) for a in (squared, q, references, known))
    faiss.fvec_L2sqr_by_idx(*pointers, q.shape[1], len(q), indices.shape[1])  # type: ignore[attr-defined]  # only in SWIG
    squared[indices < 0] = np.inf
    order = np.lexsort((indices, squared), axis=1)
    return np.sqrt(np.take_along_axis(squared, order, 1)), np.take_along_axis(indices, order, 1)


def checked_rows(x: NDArray[Any], name: str) -> Floats32:
    """`x` as float32 rows. Raises InputError for values that are not finite or beyond `LIMIT`."""
    rows = np.ascontiguousarray(x, dtype=np.float32)
    if rows.size and not float(np.abs(rows).max()) <= LIMIT:
        raise InputError(f"{name} hold values that are not finite or beyond {LIMIT:g}; impute and scale them first")
    return rows


@contextmanager
def faiss_settings(threads: int) -> Iterator[None]:
    """FAISS keeps its settings for the whole process: put them back.

    Matrix products halve the time, and some versions start them only at thousands of queries.
    """
    before = faiss.omp_get_max_threads(), faiss.cvar.distance_compute_blas_threshold
    faiss.omp_set_num_threads(threads)
    faiss.cvar.distance_compute_blas_threshold = 20
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before[0])
        faiss.cvar.distance_compute_blas_threshold = before[1]
