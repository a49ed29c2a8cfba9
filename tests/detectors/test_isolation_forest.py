import numpy as np
import pytest
from sklearn import ensemble

from agentad.detectors.isolation_forest import IsolationForest
from agentad.detectors.robust import scalings


@pytest.mark.parametrize(("n", "trees", "sample"), [(400, 100, 256), (60, 7, 256), (300, 20, 4), (30, 5, 3)])
def test_scores_are_scikit_learns(n, trees, sample):
    rng = np.random.default_rng(0)
    x = np.round(rng.normal(size=(n, 4)), 1).astype(np.float32)
    new = np.concatenate([x, 3 * rng.normal(size=(3000, 4))]).astype(np.float32)
    apply = scalings(x)[0].apply
    theirs = ensemble.IsolationForest(n_estimators=trees, max_samples=min(sample, n), random_state=5).fit(apply(x))
    ours = IsolationForest(trees=trees, sample=sample).fit(x, seed=5).score(new).item
    np.testing.assert_allclose(ours, -theirs.score_samples(apply(new)), rtol=1e-12)
    assert ours.std() > 0.01


def test_with_the_defaults_the_forest_is_scikit_learns_own():
    x = np.random.default_rng(0).normal(size=(300, 3)).astype(np.float32)
    z = scalings(x)[0].apply(x)
    theirs = -ensemble.IsolationForest(random_state=0).fit(z).score_samples(z)
    np.testing.assert_allclose(IsolationForest().fit(x).score(x).item, theirs, rtol=1e-12)
