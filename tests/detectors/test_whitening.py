import numpy as np

from agentad.detectors.whitening import Whitening


def rows():
    return (np.random.default_rng(0).normal(size=(4000, 3)) * [4, 2, 1] + 5).astype(np.float32)


def test_full_power_gives_every_direction_the_same_variance():
    assert np.allclose(np.cov(Whitening.fit(rows(), components=3, power=0.5).apply(rows()).T), np.eye(3), atol=0.01)


def test_no_power_only_rotates_and_shrinks():
    x = rows()
    z = Whitening.fit(x, components=3, power=0.0).apply(x)
    before, after = np.linalg.norm(x[1:] - x[:-1], axis=1), np.linalg.norm(z[1:] - z[:-1], axis=1)
    assert np.allclose(before / after, before[0] / after[0], rtol=1e-4)
    assert np.isclose(z.std(), 1, atol=0.01)


def test_directions_that_do_not_vary_are_dropped():
    x = np.hstack([rows(), np.ones((4000, 2), np.float32)])
    assert Whitening.fit(x, components=5, power=0.15).apply(x).shape == (4000, 3)


def test_data_that_does_not_vary_stays_finite():
    x = np.ones((50, 3), np.float32)
    assert np.isfinite(Whitening.fit(x, components=2, power=0.15).apply(x + 1)).all()


def test_keeps_the_shape_of_a_grid_and_takes_half_precision():
    w = Whitening.fit(rows(), components=2, power=0.15)
    assert w.apply(np.ones((2, 4, 5, 3), np.float16)).shape == (2, 4, 5, 2)
