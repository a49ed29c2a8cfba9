import numpy as np
import pytest

from agentad.bench.few_case import drawn
from agentad.bench.few_shot import FewShot
from agentad.modalities.items import Items
from agentad.tools import tables as road
from agentad.tools.road import silent


def _items(label, group):
    n = len(label)
    empty = np.full(n, "", dtype=object)
    return Items(np.arange(n).astype(str).astype(object), np.array(label, np.int8), empty, np.array(group), empty)


@pytest.fixture
def path(tmp_path):
    """60 normal rows and 30 anomalies, each of which stands there twice."""
    rng = np.random.default_rng(0)
    anomalous = np.repeat(rng.normal(6, 1, size=(15, 3)), 2, axis=0)
    np.savez(
        tmp_path / "twice.npz",
        X=np.concatenate([rng.normal(size=(60, 3)), anomalous]),
        y=np.repeat([0, 1], [60, 30]),
    )
    return tmp_path / "twice.npz"


def test_fewer_are_the_first_of_more_and_seeds_differ():
    items = _items([0] * 5 + [1] * 40, np.arange(45))
    ten = drawn(items, 10, 3)
    assert len(set(ten)) == 10
    assert set(items.label[ten]) == {1}
    np.testing.assert_array_equal(drawn(items, 5, 3), ten[:5])
    assert not np.array_equal(drawn(items, 10, 4), ten)


def test_of_a_group_one_is_drawn():
    items = _items([1] * 9, [0, 0, 0, 0, 0, 0, 0, 1, 2])
    found = drawn(items, 5, 0)
    assert sorted(items.group[found]) == [0, 1, 2]


def test_copies_of_what_is_learned_from_are_not_judged(path):
    data = road.look(path)
    case = FewShot((1, 4), 1000).case(data, 0, None, silent)
    known = [int(name) for name in case.real_rows.id]
    assert len(known) == 4
    assert set(data.items.label[known]) == {1}
    assert len(case.test) == 30 + 30 - 2 * 4
    groups = [set(data.items.group[index]) for index in (known, case.test, case.train)]
    assert not groups[0] & groups[1] and not groups[1] & groups[2] and not groups[0] & groups[2]


def test_what_is_judged_does_not_depend_on_how_many_of_them_are_learned_from(path):
    data = road.look(path)
    case = FewShot((1, 4), 1000).case(data, 0, None, silent)
    scored = [FewShot((1, 4), 1000).method("few-real", case, shots).learn().scored() for shots in (1, 4)]
    for found in (*scored, case.unsupervised()):
        np.testing.assert_array_equal(found.index, case.test)
        assert np.isfinite(found.item).all()
    assert not np.array_equal(scored[0].item, scored[1].item)


def test_the_case_holds_what_the_detector_says(path):
    case = FewShot((1, 4), 1000).case(road.look(path), 0, None, silent)
    np.testing.assert_array_equal(case.normal.scores.item, case.detector.held_out.item)
    np.testing.assert_array_equal(case.real.x, case.encoder.encode(case.real_rows.frame))
    np.testing.assert_array_equal(case.first(2).x, case.real.x[:2])
    np.testing.assert_array_equal(case.first(2).scores.expected, case.real.scores.expected[:2])
    for batch, said in zip(case.fresh, case.said, strict=True):
        np.testing.assert_array_equal(said.scores.item, case.detector.score(batch.x).item)
    np.testing.assert_array_equal(case.normal_rows.id, case.data.items.id[case.train])
