"""Images of 16 x 16 pixels whose anomalies are known by construction."""

import numpy as np

SIDE, SQUARE = 16, 5


def normal(n, seed=0):
    """(n, 16, 16, 3): stripes of one of two colours, anywhere, and a little noise."""
    rng = np.random.default_rng(seed)
    phase = rng.uniform(0, 2 * np.pi, n)[:, None]
    wave = 0.5 + 0.25 * np.sin(np.arange(SIDE) * 2 * np.pi / 8 + phase)  # (n, 16)
    colour = np.array([[1.0, 0.9, 0.6], [0.6, 0.9, 1.0]])[rng.integers(2, size=n)]
    image = wave[:, :, None, None] * colour[:, None, None, :] + rng.normal(0, 0.01, (n, SIDE, SIDE, 3))
    return np.clip(image, 0, 1).astype(np.float16)


def planted(n, seed=100):
    """`normal` images with a dark and bright checked square, and where it is: (n, 16, 16, 3) and (n, 16, 16)."""
    rng = np.random.default_rng(seed)
    x, mask = normal(n, seed), np.zeros((n, SIDE, SIDE), bool)
    for image, own, (row, column) in zip(x, mask, rng.integers(SIDE - SQUARE + 1, size=(n, 2)), strict=True):
        own[row : row + SQUARE, column : column + SQUARE] = True
        image[own] = rng.permuted(np.repeat([0.0, 1.0], [13, 12]))[:, None]
    return x, mask
