"""The cells of an encoder's grid that a mask covers."""

from __future__ import annotations

import numpy as np

from agentad.detectors.base import Floats, Ints
from agentad.detectors.judged import Judged


def claimed(items: Judged, i: int, most: int | None = None) -> Ints:
    """Indices of the cells of item `i` that its mask covers by half or more, the most covered first.

    Where no cell is covered by half, those that are covered the most. At most `most` of them; none of an empty mask.
    """
    share = _shares(items)[i].ravel()
    if not share.max() > 0:
        return np.zeros(0, np.int64)
    order = np.argsort(-share, kind="stable")
    return order[: int((share >= min(0.5, float(share.max()))).sum())][:most]


def touched(items: Judged, i: int) -> Ints:
    """Indices of the cells of item `i` that its mask touches."""
    return np.flatnonzero(_shares(items)[i].ravel() > 0)


def _shares(items: Judged) -> Floats:
    assert items.where is not None  # noqa: S101  only asked of images
    return items.where
