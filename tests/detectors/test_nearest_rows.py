import numpy as np
import pytest

from agentad.detectors.nearest_rows import NEAREST, batches, kernel, mean_distance, typical_distance

D = np.array([[0, 1, 2], [1, 3, np.inf], [0, 0, 0]], dtype=np.float32)


def test_kernel_is_gaussian_in_the_distance():
    weights = kernel(D, 1.0)
    np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(weights[0, 1] / weights[0, 0], np.exp(-0.5), rtol=1e-6)
    assert weights[1, 2] == 0
    np.testing.assert_allclose(weights[2], 1 / 3, rtol=1e-6)


@pytest.mark.parametrize(("h", "want"), [(1e-20, [1, 0, 0]), (1e20, [1 / 3, 1 / 3, 1 / 3])])
def test_kernel_goes_from_the_nearest_to_the_average(h, want):
    np.testing.assert_allclose(kernel(D[:1], h)[0], want, rtol=1e-6)


def test_mean_distance_skips_empty_places():
    np.testing.assert_allclose(mean_distance(D), [1, 2, 0])
    assert mean_distance(np.full((1, 2), np.inf, dtype=np.float32)).tolist() == [np.inf]


def test_typical_distance_is_the_median_and_never_nothing():
    assert typical_distance(D) == 1
    assert typical_distance(np.array([[0], [0], [0], [5]], dtype=np.float32)) == 5
    assert typical_distance(np.zeros((4, 2), dtype=np.float32)) == 1


@pytest.mark.parametrize("shape", [(0, 3), (1, 1), (20000, 20), (300, 5000)])
def test_batches_cover_every_row_once_and_stay_small(shape):
    x = np.broadcast_to(np.float32(0), shape)
    slices = list(batches(x))
    np.testing.assert_array_equal(
        np.concatenate([np.arange(shape[0])[s] for s in slices] or [np.arange(0)]), np.arange(shape[0])
    )
    for s in slices:
        assert (s.stop - s.start) * NEAREST * shape[1] <= max(1 << 19, 64 * NEAREST * shape[1])
