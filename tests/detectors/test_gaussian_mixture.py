import numpy as np
import pytest
from scipy.stats import multivariate_normal
from sklearn import mixture

from agentad.detectors.gaussian_mixture import RIDGE, GaussianMixture, Mixture
from agentad.detectors.robust import scalings


@pytest.mark.parametrize("components", [1, 5])
def test_scores_are_scikit_learns(components):
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(size=(200, 3)), [5, 0, 1] + 0.3 * rng.normal(size=(200, 3))]).astype(np.float32)
    new = np.concatenate([x, 4 * rng.normal(size=(100, 3))]).astype(np.float32)
    apply = scalings(x)[0].apply
    theirs = mixture.GaussianMixture(components, reg_covar=RIDGE, random_state=5).fit(apply(x).astype(np.float64))
    ours = GaussianMixture(components=components).fit(x, seed=5).score(new).item
    np.testing.assert_allclose(ours, -theirs.score_samples(apply(new).astype(np.float64)), rtol=1e-9)


def test_a_density_by_hand():
    covariance = np.array([[2.0, 0.5], [0.5, 1.0]])
    root = np.linalg.inv(np.linalg.cholesky(covariance)).T
    model = Mixture(np.array([0.25, 0.75]), np.array([[0.0, 0.0], [3.0, 1.0]]), np.stack([root, np.eye(2)]))
    z = np.array([[0.5, -1.0], [3.0, 1.0], [30.0, 30.0]])
    p = 0.25 * multivariate_normal([0, 0], covariance).pdf(z[:2]) + 0.75 * multivariate_normal([3, 1]).pdf(z[:2])
    np.testing.assert_allclose(model.judge(z)[:2], -np.log(p))
    assert 100 < model.judge(z)[2] < np.inf


def test_no_more_components_than_rows():
    x = np.arange(12.0).reshape(6, 2).astype(np.float32)
    assert GaussianMixture(components=50).fit(x).state().arrays["weight"].shape == (6,)
