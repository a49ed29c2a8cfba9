"""Few items of many, chosen by score and label."""

from agentad import flow
from agentad.report import pick


def items(scores: list[float], threshold: float) -> list[flow.ScoredItem]:
    return [flow.ScoredItem(id=f"{i:04d}", score=s, p_value=0.5, flag=s > threshold) for i, s in enumerate(scores)]


def test_groups_are_capped_and_ordered() -> None:
    scored = items([float(i) for i in range(1000)], 899.5)
    labels = {i.id: int(i.score % 2) for i in scored}
    picked = pick(scored, 899.5, labels)
    assert [i.score for i in picked.worst] == list(range(999, 987, -1))
    assert [i.score for i in picked.near] == [903, 902, 901, 900, 899, 898, 897, 896]
    assert [i.score for i in picked.missed] == [1, 3, 5, 7, 9, 11, 13, 15]
    assert [i.score for i in picked.raised] == [998, 996, 994, 992, 990, 988, 986, 984]
    assert len(picked.ids) == len(set(picked.ids)) == 30


def test_near_leaves_out_what_is_among_the_worst() -> None:
    scored = items([float(i) for i in range(14)], 5.5)
    picked = pick(scored, 5.5)
    assert [i.score for i in picked.near] == [1, 0]


def test_without_labels_nothing_is_missed_or_falsely_raised() -> None:
    picked = pick(items([1.0, 2.0, 9.0], 5.0), 5.0)
    assert (picked.missed, picked.raised) == ((), ())


def test_unknown_labels_are_neither_missed_nor_falsely_raised() -> None:
    scored = items([1.0, 9.0], 5.0)
    picked = pick(scored, 5.0, {"0000": -1, "0001": -1})
    assert (picked.missed, picked.raised) == ((), ())


def test_ties_do_not_depend_on_the_order_of_the_items() -> None:
    scored = items([1.0] * 50, 5.0)
    assert pick(scored, 5.0) == pick(scored[::-1], 5.0)
