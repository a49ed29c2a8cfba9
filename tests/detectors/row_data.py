"""Table rows whose anomalies are known by construction."""

import numpy as np


def curve(n, seed):
    """Points on the parabola y = x², with a third column that is noise."""
    generator = np.random.default_rng(seed)
    t = generator.uniform(-2, 2, n)
    return np.stack([t, t**2, generator.standard_normal(n)], axis=1).astype(np.float32)


def off_the_curve(n, seed):
    """Points whose second column is wrong by 1.5, inside its range."""
    x = curve(n, seed)
    x[:, 1] += np.where(x[:, 1] > 2, -1.5, 1.5)
    return x


AWKWARD = {
    "one column": np.arange(20.0).reshape(-1, 1),
    "four rows": np.array([[0.0, 1.0], [2.0, 3.0], [1.0, 1.0], [0.5, 2.0]]),
    "two rows": np.array([[0.0, 1.0], [2.0, 3.0]]),
    "only copies": np.full((50, 3), 7.0),
    "mostly copies": np.concatenate([np.zeros((90, 2)), np.eye(2).repeat(5, axis=0)]),
    "a constant column": np.stack([np.arange(30.0), np.full(30, 1e9)], axis=1),
    "one huge row": np.concatenate([np.random.default_rng(0).normal(size=(40, 2)), [[1e30, -3e38]]]),
    "wide": np.random.default_rng(0).normal(size=(12, 60)),
}


def everything(scores):
    """All numbers that a detector says, in one array."""
    parts = (scores.item, scores.local, scores.expected)
    return np.concatenate([part.ravel() for part in parts if part is not None])
