import numpy as np
import pytest
from scipy.stats import multivariate_normal

from agentad.detectors.gaussian_mixture import mixed
from agentad.detectors.mixture import COMPONENTS, ITERATIONS, Mixtures

FOLD = np.arange(200) % 2


@pytest.fixture(scope="module")
def rows():
    generator = np.random.default_rng(0)
    return generator.normal(size=(200, 2)) + np.where(generator.random((200, 1)) < 0.5, 4.0, -4.0)


@pytest.fixture(scope="module")
def mixtures(rows):
    return Mixtures.fit(rows, FOLD, noise=0.25, seed=0)


def test_its_density_is_that_of_scikit_learns_mixture_with_noise(rows, mixtures):
    new = np.array([[0.0, 0.0], [4.0, 4.5], [-9.0, 2.0]])
    fitted = mixed(rows[FOLD != 1], components=COMPONENTS, iterations=ITERATIONS)
    density = sum(
        weight * multivariate_normal(mean, covariance + 0.25 * np.eye(2)).pdf(new)
        for weight, mean, covariance in zip(fitted.weights_, fitted.means_, fitted.covariances_, strict=True)
    )
    found = mixtures.held_out(new, np.ones(3, np.int64))
    np.testing.assert_allclose(found, -np.log(density), rtol=1e-9)


def test_a_row_is_judged_by_the_mixture_that_has_not_seen_it(rows):
    changed = rows.copy()
    changed[FOLD == 0] += 100
    before, after = (Mixtures.fit(x, FOLD, noise=0.25, seed=0).held_out(rows, FOLD) for x in (rows, changed))
    np.testing.assert_array_equal(before[FOLD == 0], after[FOLD == 0])
    assert (after[FOLD == 1] > before[FOLD == 1]).all()


def test_a_new_row_is_judged_by_the_mean_over_the_folds(rows, mixtures):
    each = [mixtures.held_out(rows, np.full(200, f)) for f in (0, 1)]
    np.testing.assert_allclose(mixtures.surprise(rows), np.mean(each, axis=0))


def test_few_rows_get_few_components(rows):
    assert [m.mean.shape for m in Mixtures.fit(rows[:50], FOLD[:50], noise=0.1, seed=0).each] == [(1, 2)] * 2


def test_restored_from_arrays(rows, mixtures):
    np.testing.assert_array_equal(Mixtures.restore(mixtures.arrays()).surprise(rows), mixtures.surprise(rows))
    assert Mixtures.restore({}) is None
