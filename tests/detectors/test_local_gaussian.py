import numpy as np
import pytest

from agentad.detectors.empirical_moves import Found
from agentad.detectors.local_gaussian import local_lengths


def found(rows, references, distances=None):
    indices = np.tile(np.arange(len(references)), (len(rows), 1))
    distances = np.ones(indices.shape, np.float32) if distances is None else distances
    return Found(rows, references, distances, np.where(np.isfinite(distances), indices, -1))


@pytest.mark.parametrize("columns", [3, 8, 40], ids=["fewer columns than neighbours", "as many", "more"])
def test_it_is_the_mahalanobis_distance_with_noise(columns):
    generator = np.random.default_rng(columns)
    references = generator.normal(size=(8, columns)).astype(np.float32)
    rows = generator.normal(size=(5, columns)).astype(np.float32) * 3
    away = rows - references.mean(axis=0)
    precision = np.linalg.inv(np.cov(references.T, bias=True) + 0.2 * np.eye(columns))
    expected = np.sqrt(np.einsum("nd,de,ne->n", away, precision, away))
    np.testing.assert_allclose(local_lengths(found(rows, references), 0.2), expected, rtol=1e-5)


def test_places_that_are_not_filled_do_not_count():
    generator = np.random.default_rng(0)
    references = generator.normal(size=(6, 2)).astype(np.float32)
    rows = np.ones((1, 2), np.float32)
    distances = np.array([[1, 1, 1, 1, np.inf, np.inf]], np.float32)
    whole = local_lengths(found(rows, references, distances), 0.1)
    np.testing.assert_allclose(whole, local_lengths(found(rows, references[:4]), 0.1))


def test_along_the_neighbours_is_near_and_off_them_is_far():
    line = np.stack([np.linspace(-1, 1, 30), np.zeros(30)], axis=1).astype(np.float32)
    along, off = local_lengths(found(np.array([[0.5, 0.0], [0.0, 0.5]], np.float32), line), 1e-3)
    assert off > 10 * along


def test_no_rows():
    assert local_lengths(found(np.zeros((0, 2), np.float32), np.ones((3, 2), np.float32)), 0.1).shape == (0,)
