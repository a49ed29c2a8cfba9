"""What invented anomalies are like, beside real ones that neither generator nor verifier has seen.

All of it is told by one vector per anomaly: of an image the mean of the patch features under its mask, of a row its
columns, both in units of the spread of normal ones; of columns sign(u) log(1 + |u|), or the farthest row would decide.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist, pdist

from agentad.detectors.base import Floats
from agentad.detectors.judged import Judged
from agentad.loop.workshop import Made, Real
from agentad.verifiers.base import Candidates
from agentad.verifiers.cells import claimed
from agentad.verifiers.visibility import Visibility

COPY = 0.1
"""Nearer to a known anomaly than this part of what unseen ones are away from their nearest known one: a copy."""
FEWEST = 5
"""Unseen anomalies with masks, below which nothing is compared."""


def told(made: Made, real: Real, judged: Judged, labels: Any, kinds: Any) -> dict[str, Any]:
    """A row's `generation`.

    `made`, `rejected` (by verifier) and `dropped` are counts. The others:

    - `kernel_distance`: squared maximum mean discrepancy with the kernel (x · y / d + 1)³, unbiased, as in KID
      (Bińkowski et al. 2018, https://arxiv.org/abs/1801.01401) but of these vectors: between the invented and unseen
      real anomalies. 0 = alike. `kernel_distance_known`: between the known and the unseen real ones.
    - `diversity`: mean distance between two anomalies that were made from the same real one (the idea of IC-LPIPS, Ojha
      et al. 2021, https://arxiv.org/abs/2104.06820, but of these vectors), in units of `diversity_real`, that between
      two unseen real ones of a type.
    - `visible`: share that stands out, at its place, more than 95 % of the normal items that nothing was invented from;
      `visible_real`: of the unseen real ones.
    - `nearest_real`: median distance to the nearest known anomaly, in units of that of the unseen ones; `copies`: share
      below `COPY`. Only where there are known ones.

    Args:
        made: the invented ones.
        real: what they were invented from.
        judged: m judged items.
        labels: (m,) theirs.
        kinds: (m,) theirs.
    """
    found: dict[str, Any] = {"made": len(made.judged), "rejected": dict(made.rejected), "dropped": made.dropped}
    outlined = made.judged, real.normal, real.known, judged
    invented_items, normal, known_items, judged = (_by_patch(part) for part in outlined)
    space = _Space(normal)
    unseen_at = np.flatnonzero(np.asarray(labels) == 1)
    unseen_at = unseen_at[_outlined(judged.take(unseen_at))]
    unseen_items = judged.take(unseen_at)
    unseen, invented, known = (space.of(part) for part in (unseen_items, invented_items, known_items))
    usual = normal.take(np.flatnonzero(~real.source))
    seen = Visibility().fit(_candidates(usual), _candidates(usual.take(np.arange(0))))
    found["visible"] = _share(seen.measure(_candidates(invented_items)) > 1)
    if len(unseen) < FEWEST or len(invented) < 2:
        return {"generation": found}
    found["visible_real"] = _share(seen.measure(_candidates(unseen_items)) > 1)
    found["kernel_distance"] = kernel_distance(invented, unseen)
    if len(known) > 1:
        found["kernel_distance_known"] = kernel_distance(known, unseen)
    apart = _within(unseen, [str(kind) for kind in np.asarray(kinds)[unseen_at]])
    found["diversity_real"] = apart
    own = _within(invented, [origin.anomaly or "" for origin in made.origins])
    found["diversity"] = own / apart if own is not None and apart else None
    if len(known):
        usual_gap = float(np.median(cdist(unseen, known).min(axis=1)))
        gaps = cdist(invented, known).min(axis=1) / (usual_gap or 1.0)
        found["nearest_real"], found["copies"] = float(np.median(gaps)), float((gaps < COPY).mean())
    return {"generation": found}


def kernel_distance(one: Floats, other: Floats) -> float:
    """Squared maximum mean discrepancy, unbiased, of the rows (n, d) and (m, d), n and m at least 2."""
    size = one.shape[1]

    def mean(a: Floats, b: Floats) -> float:
        table = (a @ b.T / size + 1) ** 3
        if a is b:
            np.fill_diagonal(table, 0)
            return float(table.sum() / (len(a) * (len(a) - 1)))
        return float(table.mean())

    return mean(one, one) + mean(other, other) - 2 * mean(one, other)


class _Space:
    """Where anomalies are compared."""

    def __init__(self, normal: Judged) -> None:
        flat = normal.x.reshape(-1, normal.x.shape[-1])
        flat = flat[:: max(1, len(flat) // 20_000)].astype(np.float64)
        self._centre = flat.mean(axis=0)
        spread = np.sqrt(((flat - self._centre) ** 2).mean(axis=0))
        # patch features share a scale, which a rarely used one is to keep; the columns of a table do not
        self._scale = np.where(spread > 0, spread, 1.0) if normal.x.ndim == 2 else np.sqrt((spread**2).mean())

    def of(self, items: Judged) -> NDArray[np.float64]:
        """(n, d) one vector for each item."""
        if items.x.ndim == 2:
            u = (items.x - self._centre) / self._scale
            return np.asarray(np.sign(u) * np.log1p(np.abs(u)))
        pooled = np.zeros((len(items), items.x.shape[-1]))
        for i, x in enumerate(items.x):
            pooled[i] = x.reshape(-1, x.shape[-1])[claimed(items, i)].mean(axis=0)
        return np.asarray((pooled - self._centre) / self._scale)


def _by_patch(items: Judged) -> Judged:
    """Items with outlines no finer than their patches."""
    if items.where is None or items.where.shape[1:] == items.x.shape[1:3]:
        return items
    (rows, columns), (height, width) = items.x.shape[1:3], items.where.shape[1:]
    parts = items.where.reshape(len(items), rows, height // rows, columns, width // columns)
    return replace(items, where=parts.mean(axis=(2, 4)))


def _outlined(items: Judged) -> NDArray[np.bool_]:
    """(n,) whether an item's mask marks something; True for rows."""
    if items.where is None:
        return np.ones(len(items), np.bool_)
    return np.asarray(items.where.any(axis=(1, 2)))


def _candidates(items: Judged) -> Candidates:
    return Candidates(items, np.full(len(items), "", object))


def _share(said: NDArray[np.bool_]) -> float | None:
    return float(said.mean()) if len(said) else None


def _within(vectors: Floats, groups: list[str]) -> float | None:
    """Mean over the named groups of the mean distance between two of a group; None where none has two."""
    of = np.array(groups, object)
    found = [pdist(vectors[of == name]).mean() for name in dict.fromkeys(groups) if (of == name).sum() > 1]
    return float(np.mean(found)) if found else None
