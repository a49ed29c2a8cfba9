import numpy as np
import pytest
from synthetic_patches import anomalous, normal

from agentad.detectors.memory_bank import MemoryBank
from agentad.errors import InputError


def test_finds_the_patches_that_left_the_normal_sheets():
    x, mask = anomalous(10)
    bank = MemoryBank(size=1000).fit(normal(40))
    scores = bank.score(x)
    assert scores.local[mask].min() > scores.local[~mask].max()
    assert scores.item.min() > bank.held_out.item.max()


def test_distance_is_the_euclidean_one():
    x = np.array([[[[0.0, 0.0]]], [[[3.0, 4.0]]]], np.float32)
    bank = MemoryBank().fit(x)
    assert bank.held_out.item.tolist() == [5, 5]
    assert bank.score(np.array([[[[3.0, 3.0]]]])).local.tolist() == [[[1]]]


def test_a_training_patch_is_at_distance_zero_but_not_held_out():
    x = normal(5)
    bank = MemoryBank().fit(x)
    assert not bank.score(x).local.any()
    assert bank.held_out.local.min() > 0


def test_a_twin_in_the_same_group_does_not_help():
    x = normal(6)
    twins = np.concatenate([x, x])
    alone = MemoryBank().fit(twins)
    grouped = MemoryBank().fit(twins, groups=np.tile(np.arange(6), 2))
    assert not alone.held_out.item.any()
    assert grouped.held_out.item.min() > 0.1
    assert np.array_equal(grouped.held_out.item[:6], MemoryBank().fit(x).held_out.item)


def test_held_out_scores_are_those_of_new_normals():
    bank = MemoryBank(size=500).fit(normal(60))
    new = bank.score(normal(60, seed=5)).item
    assert np.median(bank.held_out.item) == pytest.approx(np.median(new), rel=0.1)


def test_a_coreset_covers_what_a_random_bank_misses():
    x, new = normal(40), normal(20, seed=5)
    for patches in (x, new):
        patches[:, 2, 3] += 6
    random, covering = (MemoryBank(size=60, coreset=on).fit(x).score(new).local for on in (False, True))
    assert covering[:, 2, 3].mean() < 0.7 * random[:, 2, 3].mean()
    again = MemoryBank(size=60, coreset=True).fit(x)
    assert np.array_equal(MemoryBank.restore(again.state()).score(new).local, again.score(new).local)
    assert np.array_equal(again.score(new).local, covering)


def test_maps_are_read_where_the_entries_came_from():
    x = normal(8)
    bank = MemoryBank(size=30).fit(x)
    assert np.array_equal(bank.at_entries(x[..., 0]), bank.state().arrays["vectors"][:, 0])


def test_nearest_names_the_training_item_and_cell():
    x = normal(8)
    found = MemoryBank().fit(x).nearest(x[3:5])
    assert found.item[0].tolist() == [[3] * 6] * 6
    assert found.cell[1].ravel().tolist() == list(range(36))
    assert not found.distance.any()


@pytest.mark.parametrize("x", [normal(8), normal(8)[:, 0, 0]], ids=["patches", "rows"])
def test_restores_exactly(x):
    bank = MemoryBank(size=30, neighbours=2, pool=3).fit(x)
    again = MemoryBank.restore(bank.state())
    new = x + 0.5
    assert np.array_equal(again.score(new).item, bank.score(new).item)
    assert np.array_equal(again.score(new).local, bank.score(new).local)
    assert np.array_equal(again.nearest(new).cell, bank.nearest(new).cell)


def test_the_seed_decides_what_is_remembered():
    x = normal(20)
    first, second, other = (MemoryBank(size=50).fit(x, seed=s).score(x).item for s in (1, 1, 2))
    assert np.array_equal(first, second)
    assert not np.array_equal(first, other)


def test_an_item_has_the_same_score_alone_and_in_company():
    bank, x = MemoryBank(size=200).fit(normal(20)), normal(10, seed=2)
    assert np.array_equal(np.concatenate([bank.score(one[None]).item for one in x]), bank.score(x).item)


def test_rows_of_a_table():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 4))
    bank = MemoryBank(neighbours=5).fit(x)
    odd = np.array([[0.0, 0.0, 9.0, 0.0]])
    scores = bank.score(odd)
    nearest = np.sort(np.linalg.norm((x - odd) / x.std(axis=0), axis=1))[:5]
    assert scores.item[0] == pytest.approx(nearest.mean(), rel=1e-5)
    assert scores.local.shape == scores.expected.shape == (1, 4)
    assert scores.local[0].argmax() == 2
    assert bank.held_out.item.shape == (300,)
    assert scores.item[0] > bank.held_out.item.max()


def test_units_of_columns_do_not_matter():
    x, new = np.random.default_rng(0).normal(size=(2, 200, 3))
    units = np.array([1e-3, 1.0, 1e6])
    bank, other = MemoryBank().fit(x), MemoryBank().fit(x * units)
    assert other.score(new * units).item == pytest.approx(bank.score(new).item, rel=1e-4)
    assert other.score(new * units).expected == pytest.approx(bank.score(new).expected * units, rel=1e-4)
    assert np.array_equal(MemoryBank.restore(other.state()).score(new * units).item, other.score(new * units).item)


def test_scores_half_precision_features():
    assert MemoryBank().fit(normal(4).astype(np.float16)).score(normal(2, seed=3).astype(np.float16)).item.min() > 0


@pytest.mark.parametrize(
    ("groups", "size", "message"),
    [
        ([0, 0, 0], 10, "a memory bank needs items of at least 2 groups, got 3 items of 1. Add normal items."),
        ([0, 0, 1], 1, "one group holds the whole memory bank, so nothing can judge it. Give smaller groups."),
    ],
)
def test_items_that_nothing_can_judge(groups, size, message):
    with pytest.raises(InputError) as error:
        MemoryBank(size=size).fit(normal(3), groups=np.array(groups))
    assert str(error.value) == message
