import numpy as np
import pytest

from agentad.errors import InputError
from agentad.memory.clusters import ClusteredNeighbours
from agentad.memory.neighbours import Neighbours


def rows(n, d=6, seed=0):
    """Around 20 centres, far from the origin."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(7).normal(size=(20, d)) * 4
    return (100 + centres[rng.integers(20, size=n)] + rng.normal(size=(n, d))).astype(np.float32)


def test_nearly_every_neighbour_is_found_and_none_is_nearer_than_the_nearest():
    references, queries = rows(3000), rows(400, seed=1)
    near, found = ClusteredNeighbours(references).search(queries, 3)
    exact, known = Neighbours(references).search(queries, 3)
    assert (found == known).mean() > 0.95
    assert (near >= exact - 1e-5).all()
    assert (near[found == known] == exact[found == known]).all()


def test_an_entry_is_at_distance_zero_of_itself():
    references = rows(2000)
    near, found = ClusteredNeighbours(references).search(references, 1)
    assert (near == 0).all()
    assert (found[:, 0] == np.arange(2000)).all()


def test_own_groups_are_left_out_even_where_clusters_hold_nothing_else():
    references = np.concatenate([rows(500), 1000 + rows(50, seed=2)])  # a far-off clump: one group
    groups = np.concatenate([np.arange(500) % 25, np.full(50, 99)])
    queries = references[-50:]
    near, found = ClusteredNeighbours(references, groups=groups).search(queries, 2, leave_out=np.full(50, 99))
    exact, known = Neighbours(references, groups=groups).search(queries, 2, leave_out=np.full(50, 99))
    assert (found == known).all()
    assert (near == exact).all()


def test_fewer_references_than_neighbours_leave_places_empty():
    near, found = ClusteredNeighbours(rows(3)).search(rows(2, seed=1), 5)
    assert (found[:, 3:] == -1).all()
    assert np.isinf(near[:, 3:]).all()
    assert np.isfinite(near[:, :3]).all()


def test_kept_centres_give_the_same_neighbours():
    references, queries = rows(2000), rows(100, seed=1)
    first = ClusteredNeighbours(references)
    again = ClusteredNeighbours(references, centres=first.centres)
    for one, other in zip(first.search(queries, 4), again.search(queries, 4), strict=True):
        assert np.array_equal(one, other)


def test_a_query_has_the_same_neighbours_alone_and_in_company():
    bank, queries = ClusteredNeighbours(rows(2000)), rows(30, seed=1)
    alone = np.concatenate([bank.search(query[None], 2)[1] for query in queries])
    assert np.array_equal(alone, bank.search(queries, 2)[1])


def test_numbers_that_are_not_finite_are_refused():
    with pytest.raises(InputError, match="not finite"):
        ClusteredNeighbours(np.array([[np.nan, 1.0]]))
    with pytest.raises(ValueError, match="give `groups`"):
        ClusteredNeighbours(rows(5)).search(rows(1), 1, leave_out=np.zeros(1))
