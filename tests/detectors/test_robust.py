import numpy as np

from agentad.detectors.robust import centre_and_spread, scalings


def test_scalings_are_mean_and_deviation_then_median_and_quartiles():
    x = np.array([[0.0], [1.0], [2.0], [3.0], [14.0]], dtype=np.float32)
    z, q = scalings(x)
    assert (z.centre[0], z.scale[0]) == (4, np.std([0, 1, 2, 3, 14]))
    assert (q.centre[0], q.scale[0]) == (2, 2)


def test_deviation_stands_in_for_no_quartiles_and_magnitude_for_no_deviation():
    mostly = np.r_[np.zeros(90), np.ones(10)]
    x = np.stack([mostly, np.full(100, -40.0), np.zeros(100)], axis=1)
    z, q = scalings(x)
    np.testing.assert_allclose(z.scale, [0.3, 40, 1])
    np.testing.assert_allclose(q.scale, [0.3, 40, 1])


def test_undo_is_the_inverse_of_apply():
    x = np.random.default_rng(0).normal(50, 3, (20, 3))
    for scaling in scalings(x):
        np.testing.assert_allclose(scaling.undo(scaling.apply(x)), x, rtol=1e-6)


def test_spread_divides_whatever_the_scores():
    scores = np.stack([np.arange(101.0), np.r_[np.zeros(100), 1], np.zeros(101)], axis=1)
    median, spread = centre_and_spread(scores)
    np.testing.assert_allclose(median, [50, 0, 0])
    np.testing.assert_allclose(spread, [45, np.std(scores[:, 1]), 1])
