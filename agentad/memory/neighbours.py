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
"""Members of its own group that a query is first expected to meet."""
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
        self.references = _rows(references, "references")
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
        q = _rows(queries, "queries")
        distances = np.full((len(q), k), np.inf, dtype=np.float32)
        indices = np.full((len(q), k), -1, dtype=np.int64)
        with _faiss_settings(self._threads):
            for start in range(0, len(q), _BATCH):
                rows = slice(start, start + _BATCH)
                out = None if leave_out is None else np.asarray(leave_out)[rows]
                found = self._search_batch(q[rows], k, out)
                width = found[0].shape[1]
                distances[rows, :width], indices[rows, :width] = found
        return distances, indices

    def _search_batch(self, q: Floats32, k: int, leave_out: NDArray[Any] | None) -> tuple[Floats32, Ids]:
        n = len(self)
        look = k + _SPARE + (min(self._largest_group, _WIDEST_FIRST_LOOK) if leave_out is not None else 0)
        distances, indices = self._nearest(q, min(look, n), leave_out)
        while look < n and (short := np.flatnonzero(~np.isfinite(distances[:, : k + 1]).all(axis=1))).size:
            # a group fills these shortlists: look further for those rows alone
            look = min(2 * look, n)
            wider = self._nearest(q[short], look, None if leave_out is None else leave_out[short])
            width = distances.shape[1]
            distances[short], indices[short] = wider[0][:, :width], wider[1][:, :width]
        return distances[:, :k], indices[:, :k]

    def _nearest(self, q: Floats32, look: int, leave_out: NDArray[Any] | None) -> tuple[Floats32, Ids]:
        indices = self._index.search(q - self._centre, look)[1]
        squared = np.empty(indices.shape, dtype=np.float32)
        pointers = (faiss.swig_ptr(a) for a in (squared, q, self.references, indices))
        faiss.fvec_L2sqr_by_idx(*pointers, q.shape[1], len(q), look)  # type: ignore[attr-defined]  # only in SWIG
        if leave_out is not None:
            if self._groups is None:
                raise InputError("references have no groups; give `groups` to leave some out")
            own = self._groups[indices] == leave_out[:, None]
            squared[own], indices[own] = np.inf, -1
        order = np.lexsort((indices, squared), axis=1)
        return np.sqrt(np.take_along_axis(squared, order, 1)), np.take_along_axis(indices, order, 1)


def _rows(x: NDArray[Any], name: str) -> Floats32:
    rows = np.ascontiguousarray(x, dtype=np.float32)
    if rows.size and not float(np.abs(rows).max()) <= LIMIT:
        raise InputError(f"{name} hold values that are not finite or beyond {LIMIT:g}; impute and scale them first")
    return rows


@contextmanager
def _faiss_settings(threads: int) -> Iterator[None]:
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
