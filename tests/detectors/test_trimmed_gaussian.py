import numpy as np

from agentad.detectors.trimmed_gaussian import NOISE, RIDGE, TrimmedGaussian


def test_a_fifth_of_anomalies_does_not_bend_it():
    generator = np.random.default_rng(0)
    normal = generator.normal(size=(800, 2)) @ [[1.0, 0.9], [0.0, 0.2]]
    u = np.concatenate([normal, [6.0, -6.0] + 0.1 * generator.normal(size=(200, 2))])
    found = TrimmedGaussian.fit(u, np.linalg.norm(u, axis=1))
    assert np.abs(found.mean).max() < 0.2
    assert found.lengths(u[800:]).min() > found.lengths(u[:800]).max()


def test_it_is_the_mahalanobis_distance_to_the_kept_rows():
    u = np.random.default_rng(1).normal(size=(100, 3))
    found = TrimmedGaussian.fit(u, np.linalg.norm(u, axis=1))
    kept = u[np.argsort(found.lengths(u))[:70]]
    precision = np.linalg.inv(np.cov(kept.T, bias=True) + (NOISE + RIDGE) * np.eye(3))
    away = u - kept.mean(axis=0)
    expected = np.sqrt(np.einsum("nd,de,ne->n", away, precision, away))
    np.testing.assert_allclose(found.lengths(u), expected, rtol=0.1)  # the steps end shortly before they repeat
