"""From the scores of an item's patches to the score of the item."""

from __future__ import annotations

import numpy as np

from agentad.detectors.base import Floats


def top_mean(local: Floats, k: int) -> Floats:
    """Mean of the `k` highest local scores of each item: (n, ...) to (n,).

    A mean of a few is steadier than the maximum and still sees a defect the size of a few patches.
    """
    flat = local.reshape(len(local), -1)
    k = min(k, flat.shape[1])
    highest: Floats = np.partition(flat, -k, axis=1)[:, -k:].mean(axis=1)
    return highest
