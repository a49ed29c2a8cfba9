import numpy as np
import pytest

from agentad.errors import AgentadError
from agentad.flow import Brief, Portion, Spot
from agentad.planning.strategies import (
    LARGE,
    MOST_PORTIONS,
    SIZES,
    STRATEGIES,
    Cell,
    Review,
    confusion,
    coverage,
    even,
    feature_gap,
    hard_normals,
    random,
)


def _spots(*told):
    return tuple(Spot(by=by, value=value, items=items, wrong=wrong) for by, value, items, wrong in told)


TYPES = (("type", "dent", 10, 0), ("type", "scratch", 10, 7))
CELLS = (
    Cell("dent", "small", "centre", real=3, made=50),
    Cell("dent", "large", "edge", real=1, made=10),
    Cell("scratch", "small", "edge", real=2),
    Cell("scratch", "large", "edge", real=0),
)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def review():
    spots = _spots(
        *TYPES,
        *(("size", "small", 8, 6), ("size", "large", 12, 1)),
        *(("place", "centre", 10, 3), ("place", "edge", 10, 4)),
        *(("strength", "faint", 5, 5), ("strength", "strong", 15, 2)),
        ("normals", "", 40, 3),
    )
    return Review(spots=spots, kinds=("dent", "scratch"), cells=CELLS, gaps={"dent": 3.0, "scratch": 1.0, "old": 9.0})


def test_even_asks_for_every_type_alike(review, rng):
    assert even(review, rng) == (Portion(brief=Brief(kind="scratch")), Portion(brief=Brief(kind="dent")))
    assert even(Review(), rng) == (Portion(),)


def test_confusion_follows_misses(rng):
    found = confusion(Review(spots=_spots(*TYPES), kinds=("dent", "scratch"), masks=False), rng)
    assert {portion.brief.kind: portion.weight for portion in found} == {"scratch": 7.5, "dent": 0.5}
    assert all(portion.hard_normals == 0 for portion in found)


def test_confusion_asks_half_for_the_size_place_and_strength_missed_most(review, rng):
    found = confusion(review, rng)
    asked = [portion for portion in found if portion.brief != Brief(kind=portion.brief.kind)]
    assert sum(portion.weight for portion in found) == pytest.approx(1, abs=0.001)
    assert sum(portion.weight for portion in asked) == pytest.approx(0.5, abs=0.001)
    assert {(p.brief.size, p.brief.place, p.brief.strength) for p in asked} == {
        (SIZES["small"], None, (1.0, 1.0)),
        (None, "edge", (1.0, 1.0)),
        (None, None, (0.5, 1.0)),
    }
    assert {portion.hard_normals for portion in found} == {0.3}  # 3 of 10 mistakes are flagged normals
    scratch = sum(portion.weight for portion in found if portion.brief.kind == "scratch")
    assert scratch == pytest.approx(7.5 / 8, abs=0.001)


def test_confusion_of_evenly_missed_sizes_leaves_them_free(rng):
    spots = _spots(*TYPES, ("size", "small", 10, 5), ("size", "large", 4, 2))
    assert all(p.brief.size is None for p in confusion(Review(spots=spots, kinds=("dent", "scratch")), rng))


def test_rows_have_no_sizes(review, rng):
    rows = Review(spots=review.spots, kinds=review.kinds, masks=False)
    for strategy in (confusion, even, random, hard_normals):
        assert all(p.brief == Brief(kind=p.brief.kind) for p in strategy(rows, rng))


def test_coverage_makes_up_for_what_was_made_least(review, rng):
    found = [(p.weight, p.brief.kind, p.brief.size, p.brief.place) for p in coverage(review, rng)]
    assert found == [
        (51, "scratch", SIZES["small"], "edge"),
        (41, "dent", SIZES["large"], "edge"),
        (1, "dent", SIZES["small"], "centre"),
    ]


def test_hard_normals_are_mostly_made_from_these(review, rng):
    assert [p.hard_normals for p in hard_normals(review, rng)] == [0.75, 0.75]


def test_feature_gap_follows_the_distances_of_types_that_exist(review, rng):
    assert [(p.weight, p.brief.kind) for p in feature_gap(review, rng)] == [(3.0, "dent"), (1.0, "scratch")]


def test_random_asks_for_as_many_portions_blindly(review):
    first, again, other = (random(review, np.random.default_rng(seed)) for seed in (0, 0, 1))
    assert first == again != other
    assert len(first) == len(confusion(review, np.random.default_rng(0)))


@pytest.mark.parametrize("name", STRATEGIES)
def test_many_types_still_make_few_portions_that_are_valid(name, rng):
    kinds = tuple(f"type-{i:02}" for i in range(40))
    spots = _spots(
        *(("type", kind, 5, i % 5) for i, kind in enumerate(kinds)), ("size", "small", 9, 9), ("size", "large", 9, 0)
    )
    cells = tuple(Cell(kind, "small", "edge", 1, made=i) for i, kind in enumerate(kinds))
    review = Review(spots=spots, kinds=kinds, cells=cells, gaps=dict.fromkeys(kinds, 1.0))
    found = STRATEGIES[name](review, rng)
    assert 1 <= len(found) <= MOST_PORTIONS
    for portion in found:
        assert Portion.model_validate(portion.model_dump()) == portion
        assert portion.weight > 0
        assert portion.brief.kind in kinds


@pytest.mark.parametrize(
    ("strategy", "message"),
    [
        (coverage, "critic: coverage needs to know where the real defects lie, which takes masks; use confusion"),
        (feature_gap, "critic: feature-gap needs the distance of each type's samples to real ones; use confusion"),
    ],
)
def test_what_a_strategy_lacks_is_said(strategy, message, rng):
    with pytest.raises(AgentadError) as caught:
        strategy(Review(kinds=("dent",), gaps={"dent": float("nan")}), rng)
    assert str(caught.value) == message


def test_sizes_join():
    assert SIZES["small"][1] == SIZES["medium"][0]
    assert SIZES["medium"][1] == SIZES["large"][0] == LARGE
