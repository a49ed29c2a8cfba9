"""Nearest neighbours among many reference rows, by looking into the nearest clusters only (FAISS's inverted lists).

Of a hundred thousand patches a query is compared with a few thousand, those of the `LOOK` nearest of about 1.5 √n
clusters. A neighbour in another cluster is missed, so distances are never too small and now and then a little too
large. Distances are taken again as ‖q − r‖, as in `neighbours`.
"""

from __future__ import annotations

from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from agentad.memory.neighbours import Floats32, Ids, checked_rows, faiss_settings, measured

LOOK = 8
"""Clusters that are looked into."""
_SAMPLE = 64
"""Rows per cluster that clusters are learned from."""
_ROUNDS = 8
"""Rounds of k-means."""
_SPARE = 4


class ClusteredNeighbours:
    """Reference rows to be searched approximately; the interface of `Neighbours`.

    Args:
        references: (n, d), at least one row, finite.
        groups: (n,) the group of each reference, needed to leave groups out.
        centres: (m, d) of clusters learned before; learned from the references where absent, the same every time.

    Raises:
        InputError: a value that is not finite or too large.
    """

    def __init__(
        self,
        references: NDArray[Any],
        *,
        groups: NDArray[Any] | None = None,
        centres: Floats32 | None = None,
    ) -> None:
        self.references = checked_rows(references, "references")
        self._groups = None if groups is None else np.asarray(groups)
        self._centre = self.references.mean(axis=0, dtype=np.float64).astype(np.float32)
        centred = self.references - self._centre
        with faiss_settings(1):
            self.centres = _learned(centred) if centres is None else checked_rows(centres, "centres")
            dim = self.references.shape[1]
            self._coarse = faiss.IndexFlatL2(dim)
            self._coarse.add(self.centres)
            self._index = faiss.IndexIVFFlat(self._coarse, dim, len(self.centres))
            self._index.train(centred[:1])  # the clusters are there already
            self._index.add(centred)

    def __len__(self) -> int:
        """How many references there are."""
        return len(self.references)

    def search(self, queries: NDArray[Any], k: int, *, leave_out: NDArray[Any] | None = None) -> tuple[Floats32, Ids]:
        """About the k nearest references of each query; see `Neighbours.search`. Whoever finds fewer looks everywhere.

        Args:
            queries: (m, d).
            k: neighbours wanted; more than there are leaves places empty.
            leave_out: (m,) group of each query, whose references do not count as neighbours of it.

        Returns:
            Distances (m, k) and reference indices (m, k); empty places hold infinity and -1.
        """
        q = checked_rows(queries, "queries")
        found = np.full((len(q), k + _SPARE), -1, dtype=np.int64)
        with faiss_settings(1):
            for rows, allowed in self._parts(len(q), leave_out):
                found[rows] = self._look(q[rows], k + _SPARE, allowed, LOOK)
                short = rows[(found[rows, :k] < 0).any(axis=1)]
                if len(short):
                    found[short] = self._look(q[short], k + _SPARE, allowed, len(self.centres))
        distances, indices = measured(q, self.references, found)
        return distances[:, :k], indices[:, :k]

    def _parts(self, n: int, leave_out: NDArray[Any] | None) -> list[tuple[Ids, Any]]:
        """Queries that may see the same references, with FAISS's selector of these."""
        if leave_out is None:
            return [(np.arange(n), None)]
        if self._groups is None:
            raise ValueError("references have no groups; give `groups` to leave some out")
        parts = []
        for group in np.unique(leave_out):
            own = np.flatnonzero(self._groups == group)
            allowed = faiss.IDSelectorNot(faiss.IDSelectorBatch(own)) if len(own) else None
            parts.append((np.flatnonzero(leave_out == group), allowed))
        return parts

    def _look(self, q: Floats32, k: int, allowed: Any, clusters: int) -> Ids:
        settings = faiss.SearchParametersIVF(nprobe=min(clusters, len(self.centres)), sel=allowed)  # type: ignore[call-arg]
        found: Ids = self._index.search(q - self._centre, k, params=settings)[1]
        return found


def _learned(rows: Floats32) -> Floats32:
    """Centres (m, d) of about 1.5 √n clusters of rows (n, d)."""
    count = min(len(rows), max(1, int(1.5 * np.sqrt(len(rows)))))
    means = faiss.Kmeans(
        rows.shape[1], count, niter=_ROUNDS, seed=1, max_points_per_centroid=_SAMPLE, min_points_per_centroid=1
    )
    means.train(rows)
    return np.asarray(means.centroids, dtype=np.float32)
