"""Anomalies that are learned from are nobody's judge."""

import numpy as np

from agentad.modalities.items import Items
from agentad.modalities.shots import FEW, set_apart
from agentad.modalities.split import split_items


def _items(kinds, groups=None, given=None):
    n = len(kinds)
    return Items(
        np.array([str(i) for i in range(n)], object),
        np.array([kind != "" for kind in kinds], np.int8),
        np.array(kinds, object),
        np.arange(n) if groups is None else np.array(groups),
        np.array(given or [""] * n, object),
    )


def _split(items, **options):
    return set_apart(split_items(items, "normal", 0), items, seed=0, **{"shots": None, **options})


def test_few_are_all_learned_from_and_half_of_many():
    few, many = _items([""] * 30 + ["a"] * FEW), _items([""] * 30 + ["a"] * 20 + ["b"] * 7)
    assert _split(few).known.tolist() == list(range(30, 30 + FEW))
    known = _split(many).known
    assert (known < 50).sum() == 10 and (known >= 50).sum() == 3
    assert not np.isin(known, _split(many).test).any()


def test_fewer_shots_are_the_first_of_more():
    items = _items([""] * 30 + ["a"] * 40 + ["b"] * 40)
    one, five = (set(_split(items, shots=k).known.tolist()) for k in (1, 5))
    assert len(one) == 2 and len(five) == 10 and one < five
    assert _split(items, shots=0).known.size == 0


def test_the_group_of_a_known_anomaly_is_not_judged():
    items = _items([""] * 30 + ["a"] * 40, [*range(30), *np.repeat(np.arange(30, 50), 2)])
    split = _split(items, shots=5)
    assert len(set(items.group[split.known])) == 5
    assert not np.isin(items.group[split.test], items.group[split.known]).any()


def test_what_the_layout_gives_for_training_is_learned_from():
    items = _items([""] * 30 + ["a"] * 40, given=["train"] * 20 + ["test"] * 10 + ["train"] * 4 + ["test"] * 36)
    assert _split(items).known.tolist() == [30, 31, 32, 33]


def test_what_cannot_be_learned_from_is_judged():
    items = _items([""] * 30 + ["a"] * 10)
    learnable = np.arange(40) >= 35
    split = _split(items, learnable=learnable)
    assert split.known.tolist() == [35, 36, 37, 38, 39]
    assert set(range(30, 35)) <= set(split.test.tolist())
