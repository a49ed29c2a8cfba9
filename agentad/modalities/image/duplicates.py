"""Which images show the same picture: the same file, or one re-encoded, resized, brightened or slightly changed.

Two pictures count as the same when their difference hashes (dHash: is each point of a 16 x 16 grid brighter than its
left neighbour?) nearly agree and the fine detail of their thumbnails correlates. Detail, what is left after blurring,
tells two photographs of one part apart from photographs of two parts in one fixture, whose outlines agree anyway.
Turned, mirrored and cropped copies are not found.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import uniform_filter
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

SIDE = 64
"""Thumbnails are SIDE x SIDE grey pixels."""
HASH_SIDE = 16
MOST_BITS = 48
"""Of 256 hash bits, how many may differ. A prefilter: copies differ in at most 36 unless they are nearly flat."""
LEAST_CORRELATION = 0.975
"""On photographs of parts and surfaces, copies (JPEG, half size, darker, gamma 1.6, noise) reach .98 to 1, different
parts in one fixture at most .97. Copies of faint textures can fall below and are missed."""
BLOCK = 512

Floats = NDArray[np.float32]


def signature(image: Image.Image) -> NDArray[np.uint8]:
    """The thumbnail that `groups_of` compares, uint8 (SIDE, SIDE)."""
    return np.asarray(image.convert("L").resize((SIDE, SIDE), Image.Resampling.BOX))


def groups_of(
    digests: Sequence[str], signatures: NDArray[np.uint8], sources: Sequence[str] | None = None
) -> NDArray[np.int64]:
    """Group numbers (n,) from 0 in order of first appearance.

    Args:
        digests: one per image; equal for equal files.
        signatures: (n, SIDE, SIDE) from `signature`.
        sources: images that share a source other than empty belong together.
    """
    label = _number(digests)
    firsts = np.unique(label, return_index=True)[1]
    label = _merge_similar(signatures[firsts])[label]
    if sources is not None:
        own = [source or f"/{i}" for i, source in enumerate(sources)]  # ids never start with a slash
        label = _components(np.stack([label, _number(own) + len(label)]), 2 * len(label))[label]
    return _number(label.tolist())


def _number(keys: Sequence[object]) -> NDArray[np.int64]:
    seen: dict[object, int] = {}
    return np.array([seen.setdefault(key, len(seen)) for key in keys], dtype=np.int64)


def _merge_similar(signatures: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Component numbers of the graph of similar pictures. n² products in blocks: 10,000 pictures take seconds."""
    n = len(signatures)
    signs, details = _hashes(signatures), _details(signatures)
    label = np.arange(n)
    for start in range(0, n, BLOCK):
        agreement = signs[start : start + BLOCK] @ signs[start:].T  # matching bits minus differing bits
        near = np.triu(agreement >= HASH_SIDE**2 - 2 * MOST_BITS, k=1)
        rows, columns = np.flatnonzero(near.any(axis=1)), np.flatnonzero(near.any(axis=0))
        correlation = details[start + rows] @ details[start + columns].T
        i, j = np.nonzero(near[np.ix_(rows, columns)] & (correlation >= LEAST_CORRELATION))
        label = _components(np.stack([label[start + rows[i]], label[start + columns[j]]]), n)[label]
    return label


def _components(edges: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    graph = coo_array((np.ones(edges.shape[1], dtype=np.int8), (edges[0], edges[1])), shape=(n, n))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)


def _hashes(signatures: NDArray[np.uint8]) -> Floats:
    """Difference hashes as -1 and 1, (n, 256)."""
    n, cell = len(signatures), SIDE // HASH_SIDE
    grid = signatures.reshape(n, HASH_SIDE, cell, HASH_SIDE, cell).mean(axis=(2, 4), dtype=np.float32)
    rises = np.diff(grid, axis=2, append=grid[:, :, :1]) > 0
    return np.where(rises, 1, -1).reshape(n, -1).astype(np.float32)


def _details(signatures: NDArray[np.uint8]) -> Floats:
    """Thumbnails minus their 5 x 5 mean, as unit vectors (n, SIDE * SIDE); zeros where there is no detail."""
    detail = np.empty((len(signatures), SIDE * SIDE), dtype=np.float32)
    for row, thumbnail in zip(detail, signatures.astype(np.float32), strict=True):
        row[:] = (thumbnail - uniform_filter(thumbnail, 5)).ravel()
    norm = np.linalg.norm(detail, axis=1, keepdims=True)
    unit: Floats = np.divide(detail, norm, out=np.zeros_like(detail), where=norm > SIDE)
    return unit
