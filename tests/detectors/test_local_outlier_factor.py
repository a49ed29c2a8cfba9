import numpy as np
import pytest
from sklearn import neighbors

from agentad.detectors.local_outlier_factor import LocalDensities, LocalOutlierFactor
from agentad.detectors.robust import scalings


@pytest.mark.parametrize(("n", "k"), [(400, 20), (50, 3), (10, 20)])
def test_factors_are_scikit_learns(n, k):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, 4)).astype(np.float32)
    new = 3 * rng.normal(size=(500, 4)).astype(np.float32)
    apply = scalings(x)[0].apply
    theirs = neighbors.LocalOutlierFactor(min(k, n - 1), novelty=True).fit(apply(x).astype(np.float64))
    ours = LocalOutlierFactor(neighbours=k).fit(x).score(new).item
    np.testing.assert_allclose(ours, -theirs.score_samples(apply(new).astype(np.float64)), rtol=1e-5)


def test_by_hand():
    model = LocalDensities.learn(np.array([[0.0], [1.0], [3.0]], np.float32), 1)
    # κ = 1, 1, 2; the reaches to the nearest are 1, 1, 2
    np.testing.assert_allclose(model.arrays()["kth"], [1, 1, 2])
    np.testing.assert_allclose(model.arrays()["density"], [1, 1, 0.5])
    # −4 reaches 0 over 4, where the density is 1; 7 reaches 3 over 4, where it is 1/2
    np.testing.assert_allclose(model.judge(np.array([[-4.0], [7.0]], np.float32)), [4, 2])


def test_a_row_of_a_sparse_cloud_is_not_odd_and_one_beside_a_dense_cloud_is():
    rng = np.random.default_rng(0)
    dense, sparse = 0.01 * rng.normal(size=(200, 2)), 100 + rng.normal(size=(200, 2)) * 5
    detector = LocalOutlierFactor().fit(np.concatenate([dense, sparse]).astype(np.float32))
    beside, within = detector.score(np.array([[0.5, 0.5], [103.0, 98.0]], np.float32)).item
    assert beside > 5
    assert within < 1.3
