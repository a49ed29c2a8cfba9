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
    references = found.references.astype(np.float64)
    parts = [_squares(found, references, noise, slice(at, at + size)) for at in range(0, len(found.rows), size)]
    return np.sqrt(np.concatenate(parts)) if parts else np.zeros(0)


def _squares(found: Found, references: Floats, noise: float, at: slice) -> Floats:
    there = np.isfinite(found.distances[at])[:, :, None]
    count = there.sum(axis=1)  # (m, 1)
    spread = references[found.indices[at]]  # (m, k, d), its square is to be count · S
    if not there.all():
        spread *= there
    mean = spread.sum(axis=1) / count
    spread -= mean[:, None]
    if not there.all():
        spread *= there
    away = (found.rows[at] - mean)[:, :, None]
    noises = noise * count  # (m, 1)
    k, d = spread.shape[1:]
    if d <= k:
        inner = spread.transpose(0, 2, 1) @ spread
        inner[:, range(d), range(d)] += noises
        square = _product(np.linalg.solve(inner, away), away) * count[:, 0]
    else:
        gram = spread @ spread.transpose(0, 2, 1)
        gram[:, range(k), range(k)] += noises
        along = spread @ away
        square = (_product(away, away) - _product(np.linalg.solve(gram, along), along)) / noise
    return np.asarray(np.maximum(square, 0))


def _product(a: Floats, b: Floats) -> Floats:
    """Scalar products (m,) of columns (m, d, 1)."""
    return np.asarray(np.einsum("mdo,mdo->m", a, b))
