"""Synthetic patch features whose anomalies are known by construction."""

import numpy as np

DIM = 12


def normal(n, seed=0, *, side=6):
    """(n, side, side, DIM): two kinds of texture, each a thin sheet of features plus a little noise."""
    rng = np.random.default_rng(seed)
    sheets = np.random.default_rng(99).normal(size=(2, 3, DIM))
    kind = rng.integers(2, size=(n, side, side))
    position = rng.normal(size=(n, side, side, 1, 2))
    flat = (position @ sheets[kind][..., :2, :])[..., 0, :]
    return (flat + 3 * sheets[kind][..., 2, :] + 0.1 * rng.normal(size=flat.shape)).astype(np.float32)


def anomalous(n, seed=1, *, side=6):
    """Normal items in which two cells leave their sheet, and the mask (n, side, side) of those cells.

    They move towards the mean of all as well, so that their length alone makes them look normal.
    """
    rng = np.random.default_rng(seed)
    x = normal(n, seed + 1000, side=side)
    mask = np.zeros(x.shape[:3], bool)
    for item in range(n):
        cells = rng.choice(side * side, 2, replace=False)
        mask[item].flat[cells] = True
    mean = normal(500, 3, side=side).mean(axis=(0, 1, 2))
    x[mask] = mean + 0.4 * (x[mask] - mean) + np.random.default_rng(98).normal(size=DIM)
    return x, mask
