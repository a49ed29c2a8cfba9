import numpy as np
from scipy.stats import norm

from agentad.detectors.column_densities import NOISE, ColumnDensities


def test_it_is_the_density_of_the_values_and_the_row_itself_with_noise():
    z = np.random.default_rng(0).normal(size=(400, 2))
    new = np.array([[0.3, -1.2], [2.0, 0.0]])
    p = [(norm.pdf(new[:, j, None], z[:, j], NOISE).sum(axis=1) + norm.pdf(0, 0, NOISE)) / 401 for j in (0, 1)]
    np.testing.assert_allclose(ColumnDensities.fit(z).surprise(new), -np.log(p[0]) - np.log(p[1]), rtol=0.03)


def test_a_value_never_seen_is_rare_and_finite_however_far():
    z = np.concatenate([np.zeros((900, 1)), np.ones((100, 1))])
    common, seldom, between, far, further = ColumnDensities.fit(z).surprise(np.array([[0.0], [1], [0.5], [40], [1e9]]))
    assert common < seldom < between
    np.testing.assert_allclose([between, far, further], between, rtol=1e-5)
