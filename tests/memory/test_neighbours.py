import re

import faiss
import numpy as np
import pytest

from agentad.errors import InputError
from agentad.memory.neighbours import LIMIT, Neighbours


def brute_force(queries, references, k):
    squared = ((queries[:, None].astype(np.float64) - references[None]) ** 2).sum(axis=2)
    order = np.argsort(squared, axis=1, kind="stable")[:, :k]
    return np.sqrt(np.take_along_axis(squared, order, axis=1)), order


@pytest.mark.parametrize(("queries", "d"), [(3, 1), (700, 5), (9000, 3), (40, 300)])
def test_neighbours_are_those_of_brute_force(queries, d):
    generator = np.random.default_rng(0)
    references = generator.standard_normal((150, d)).astype(np.float32)
    q = generator.standard_normal((queries, d)).astype(np.float32)
    distances, indices = Neighbours(references).search(q, 7)
    want_distances, want_indices = brute_force(q, references, 7)
    np.testing.assert_allclose(distances, want_distances, rtol=1e-5, atol=1e-6)
    assert (indices == want_indices).mean() > 0.999  # float32 may swap a near-tie
    assert distances.dtype == np.float32
    assert indices.dtype == np.int64


def test_a_copy_is_at_distance_nothing_far_from_the_origin():
    rows = 1e4 + np.random.default_rng(0).standard_normal((200, 8)).astype(np.float32)
    distances, indices = Neighbours(rows).search(rows, 1)
    assert (distances == 0).all()
    np.testing.assert_array_equal(indices[:, 0], np.arange(200))


def test_ties_go_to_the_lower_index():
    references = np.array([[1.0], [-1.0], [1.0]])
    assert Neighbours(references).search(np.zeros((1, 1)), 3)[1].tolist() == [[0, 1, 2]]


def test_own_row_is_left_out():
    rows = np.array([[0.0], [1.0], [3.0]])
    distances, indices = Neighbours(rows, groups=np.arange(3)).search(rows, 2, leave_out=np.arange(3))
    assert distances.tolist() == [[1, 3], [1, 2], [2, 3]]
    assert indices.tolist() == [[1, 2], [0, 2], [1, 0]]


@pytest.mark.parametrize("largest", [5, 400])
def test_own_group_is_left_out_however_large(largest):
    generator = np.random.default_rng(1)
    rows = generator.standard_normal((600, 2))
    groups = np.concatenate([np.zeros(largest), np.arange(1, 601 - largest)]).astype(int)
    rows[groups == 0] *= 0.01  # the group is its own neighbourhood
    distances, indices = Neighbours(rows, groups=groups).search(rows, 3, leave_out=groups)
    assert (groups[indices] != groups[:, None]).all()
    for i in (0, largest - 1, 599):
        others = np.flatnonzero(groups != groups[i])
        want = np.sort(np.linalg.norm(rows[others] - rows[i], axis=1))[:3]
        np.testing.assert_allclose(distances[i], want, rtol=1e-4)


def test_places_that_cannot_be_filled_are_empty():
    distances, indices = Neighbours(np.array([[0.0], [2.0]]), groups=np.array([4, 5])).search(
        np.zeros((1, 1)), 3, leave_out=np.array([4])
    )
    assert distances.tolist() == [[2, np.inf, np.inf]]
    assert indices.tolist() == [[1, -1, -1]]


def test_no_queries_give_no_rows():
    distances, indices = Neighbours(np.zeros((3, 2))).search(np.zeros((0, 2)), 4)
    assert distances.shape == indices.shape == (0, 4)


def test_largest_magnitudes_do_not_overflow():
    distances, _ = Neighbours(np.full((3, 50), -LIMIT)).search(np.full((30, 50), LIMIT), 3)
    np.testing.assert_allclose(distances, 2 * LIMIT * np.sqrt(50), rtol=1e-5)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e16])
def test_values_that_cannot_be_compared_are_refused(value):
    message = f"references hold values that are not finite or beyond {LIMIT:g}; impute and scale them first"
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        Neighbours(np.array([[0.0], [value]]))


def test_no_references_are_refused():
    with pytest.raises(InputError, match=r"^there are no reference rows to search; give at least one$"):
        Neighbours(np.zeros((0, 3)))


def test_leaving_out_needs_groups():
    with pytest.raises(InputError, match=r"^references have no groups; give `groups` to leave some out$"):
        Neighbours(np.zeros((2, 1))).search(np.zeros((1, 1)), 1, leave_out=np.zeros(1))


def test_settings_of_the_process_are_put_back():
    before = faiss.omp_get_max_threads(), faiss.cvar.distance_compute_blas_threshold
    Neighbours(np.zeros((2, 1)), threads=before[0] + 1).search(np.zeros((1, 1)), 1)
    assert (faiss.omp_get_max_threads(), faiss.cvar.distance_compute_blas_threshold) == before
