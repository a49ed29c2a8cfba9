"""How far a row lies from the Gaussian that its nearest references suggest.

The k nearest references have a mean m and a covariance S. Data like them, with noise of variance ε² added, have the
density N(m, S + ε² I), and

    a = √((x − m)ᵀ (S + ε² I)⁻¹ (x − m))

is the length of its score ∇ log p(x) in the directions and units in which the neighbours vary. Along a sheet or a curve
of data a row may go far, off it only as far as the noise. Where there are more columns than neighbours, the inverse is
taken through the neighbours' Gram matrix (Woodbury).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from agentad.detectors.base import Floats
from agentad.detectors.empirical_moves import Found

_BATCH_VALUES = 1 << 20
"""Neighbour coordinates held at once."""


def local_lengths(found: Found, noise: float) -> NDArray[np.float64]:
    """The lengths a (m,) of rows with their nearest references. Higher = more anomalous.

    Args:
        found: rows (m, d), each with at least one reference.
        noise: ε², in squared units.
    """
    size = max(1, _BATCH_VALUES // (found.indices.shape[1] * found.rows.shape[1]))
    parts = [_squares(found, noise, slice(at, at + size)) for at in range(0, len(found.rows), size)]
    return np.sqrt(np.concatenate(parts)) if parts else np.zeros(0)


def _squares(found: Found, noise: float, at: slice) -> Floats:
    there = np.isfinite(found.distances[at])[:, :, None]
    count = there.sum(axis=1)  # (m, 1)
    spread = found.references[found.indices[at]].astype(np.float64)  # (m, k, d), its square is to be S
    if not there.all():
        spread *= there
    mean = spread.sum(axis=1) / count
    spread -= mean[:, None]
    if not there.all():
        spread *= there
    spread /= np.sqrt(count)[:, :, None]
    away = (found.rows[at] - mean)[:, :, None]
    k, d = spread.shape[1:]
    if d <= k:
        inner = spread.transpose(0, 2, 1) @ spread
        inner[:, range(d), range(d)] += noise
        square = (np.linalg.solve(inner, away) * away).sum(axis=(1, 2))
    else:
        gram = spread @ spread.transpose(0, 2, 1)
        gram[:, range(k), range(k)] += noise
        along = spread @ away
        square = ((away**2).sum(axis=(1, 2)) - (np.linalg.solve(gram, along) * along).sum(axis=(1, 2))) / noise
    return np.asarray(np.maximum(square, 0))
