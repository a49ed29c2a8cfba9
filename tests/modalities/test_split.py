import numpy as np
import pytest

from agentad.modalities.items import Items
from agentad.modalities.split import split_items


def _items(label, given=None, group=None, kind=None, category=None):
    n = len(label)
    return Items(
        np.array([str(i) for i in range(n)], dtype=object),
        np.array(label, dtype=np.int8),
        np.array(kind or [""] * n, dtype=object),
        np.arange(n) if group is None else np.array(group),
        np.array(given or [""] * n, dtype=object),
        category and np.array(category, dtype=object),
    )


def test_the_layout_decides_and_leaks_are_left_out():
    items = _items(
        [0, 0, 0, 1, 0, 1, -1],
        ["train", "train", "train", "train", "test", "test", "test"],
        group=[0, 1, 2, 3, 2, 5, 6],
    )
    split = split_items(items, "normal", 0)
    assert list(split.train) == [0, 1]
    assert list(split.test) == [4, 5]
    assert list(split.scored) == [4, 5, 6]
    assert split.notes == (
        "1 training items left out: labelled anomalous",
        "1 training items left out: near-duplicates of test items",
    )


def test_training_data_that_is_mostly_copied_into_the_test_is_kept():
    items = _items([0, 0, 0, 0, 1], ["train", "train", "train", "test", "test"], group=[0, 0, 1, 0, 2])
    split = split_items(items, "normal", 0)
    assert list(split.train) == [0, 1, 2]
    assert list(split.test) == [4]
    assert list(split.scored) == [3, 4]
    assert split.notes == ("1 test items not judged: near-duplicates of training items",)


def test_where_all_normal_test_items_are_copies_half_of_them_make_room():
    given = ["train"] * 6 + ["test"] * 8
    items = _items([0] * 6 + [0] * 6 + [1, 1], given, group=[0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5, 5, 7])
    for seed in range(5):
        split = split_items(items, "normal", seed)
        assert len(split.train) == 3
        normal = [i for i in split.test if items.label[i] == 0]
        assert len(normal) == 3
        assert not set(items.group[split.train]) & set(items.group[split.test])
        assert 13 in split.test
        assert list(split.scored) == list(range(6, 14))
        missed = 3 + (12 not in split.test)
        assert split.notes == (
            f"3 training items left out and {missed} test items not judged: the normal test items are near-duplicates "
            "of training items",
        )
    assert not np.array_equal(split_items(items, "normal", 0).train, split_items(items, "normal", 1).train)


@pytest.mark.parametrize("seed", range(5))
def test_half_of_the_normal_groups_train_and_none_straddles(seed):
    rng = np.random.default_rng(seed)
    group = rng.integers(0, 60, 300)
    label = (rng.random(300) < 0.1).astype(np.int8)
    items = _items(label, group=group)
    split = split_items(items, "normal", seed)
    assert not np.any(label[split.train])
    assert not set(group[split.train]) & set(group[split.test])
    assert sorted([*split.train, *split.test]) == list(range(300))
    clean = set(group) - set(group[label == 1])
    assert len(set(group[split.train])) == (len(clean) + 1) // 2


def test_without_anomalies_nothing_is_kept_back():
    split = split_items(_items([0, 0, -1, 0]), "normal", 0)
    assert list(split.train) == [0, 1, 3]
    assert list(split.test) == []
    assert list(split.scored) == [0, 1, 2, 3]


def test_without_labels_everything_is_learned_from_and_scored():
    split = split_items(_items([-1] * 5), "contaminated", 0)
    assert list(split.train) == list(split.scored) == [0, 1, 2, 3, 4]
    assert len(split.test) == 0


def test_a_folder_of_training_data_alone_is_scored_held_out():
    split = split_items(_items([0, 0, 0], ["train"] * 3), "normal", 0)
    assert list(split.train) == list(split.scored) == [0, 1, 2]


def test_each_category_is_split_on_its_own():
    items = _items(
        [0, 0, 0, 1, 0, 0, 1, 0],
        ["train", "train", "test", "test", "", "", "", ""],
        group=[0, 1, 2, 3, 4, 5, 6, 7],
        category=["nut"] * 4 + ["pill"] * 4,
    )
    split = split_items(items, "normal", 0)
    assert set(split.train[:2]) == {0, 1}
    assert len(split.train) == 4  # half of the normal pills, which come without a split of their own
    assert set(split.train) | set(split.test) == set(range(8))
    assert set(split.scored) == set(range(2, 8))


def test_a_copy_of_another_category_s_training_item_is_not_judged():
    items = _items(
        [0, 0, 0, 0, 0, 0],
        ["train", "train", "test", "train", "train", "test"],
        group=[0, 1, 2, 3, 4, 0],
        category=["nut"] * 3 + ["pill"] * 3,
    )
    split = split_items(items, "normal", 0)
    assert list(split.train) == [0, 1, 3, 4]
    assert list(split.test) == [2]
    assert list(split.scored) == [2, 5]
    assert split.notes == ("1 test items not judged: near-duplicates of another category's training items",)
