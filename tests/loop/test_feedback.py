import numpy as np
import pytest

from agentad.errors import AgentadError
from agentad.flow import Spot
from agentad.loop.feedback import cells, marks, place_of, size_of, spots, strength_of
from agentad.planning.strategies import Cell

SCORES = np.array([5.0, 0.2, 0.1, 0.3, 6.0, 0.0, 2.0, 3.0, 9.0])
LABELS = np.array([1, 1, 1, 1, 1, 0, 0, 0, -1])
KINDS = ["dent", "scratch", "scratch", "scratch", "scratch", "", "", "", ""]
IDS = [f"item-{i}" for i in range(9)]


def test_types_and_normals_of_a_table():
    assert spots(SCORES, LABELS, KINDS, IDS, 1.0, worst=2) == (
        Spot(by="type", value="scratch", items=4, wrong=3, examples=("item-2", "item-1")),
        Spot(by="type", value="dent", items=1, wrong=0),
        Spot(by="normals", value="", items=3, wrong=2, examples=("item-7", "item-6")),
    )


def test_a_score_at_the_threshold_is_not_flagged():
    found = spots(np.array([1.0, 1.0]), np.array([1, 0]), ["dent", ""], ["a", "b"], 1.0)
    assert [spot.wrong for spot in found] == [1, 0]


def test_anomalies_without_a_type_are_one_group():
    found = spots(SCORES, LABELS, ["dent"] + [""] * 8, IDS, 1.0)
    assert [(spot.by, spot.value, spot.items) for spot in found] == [
        *(("type", "", 4), ("type", "dent", 1), ("normals", "", 3)),
    ]


def test_kinds_of_normals_are_told_apart():
    found = spots(SCORES, LABELS, [*KINDS[:5], "wet", "dry", "dry", ""], IDS, 1.0)
    assert [(spot.value, spot.wrong) for spot in found if spot.by == "normals"] == [("dry", 2), ("wet", 0)]


def test_without_labels_there_is_nothing_to_tell():
    assert spots(SCORES, np.full(9, -1), KINDS, IDS, 1.0) == ()


@pytest.fixture
def pictures():
    """Small and faint at the centre; large and strong at the edge; of unclear mask; a texture only."""
    rng = np.random.default_rng(0)
    images = 100 + 4 * rng.normal(size=(4, 100, 100, 3))
    masks = np.zeros((4, 100, 100), bool)
    masks[0, 48:52, 48:52] = True
    masks[1, 2:22, 2:22] = True
    masks[3, 48:58, 40:50] = True
    images[0][masks[0]] += 1
    images[1][masks[1]] += 60
    images[3][masks[3]] += rng.choice([-30, 30], size=(100, 1))
    return list(images.clip(0, 255).astype(np.uint8)), [*masks[:2], None, masks[3]]


def test_defects_are_measured(pictures):
    found = marks(*pictures)
    assert found.area.tolist()[:2] == [0.0016, 0.04]
    assert found.middle[:2].tolist() == [[0.5, 0.5], [0.12, 0.12]]
    assert found.contrast[0] < 1 < 10 < found.contrast[1]
    assert found.contrast[3] > 3  # as bright as what is around it, and much rougher
    assert np.isnan([found.area[2], *found.middle[2], found.contrast[2]]).all()


def test_sizes_places_and_strengths_are_told(pictures):
    found = spots(
        np.array([0.0, 5.0, 0.0, 5.0]), np.ones(4, int), ["a"] * 4, list("abcd"), 1.0, marked=marks(*pictures)
    )
    assert {(spot.by, spot.value): (spot.items, spot.wrong, spot.examples) for spot in found} == {
        ("type", "a"): (4, 2, ("a", "c")),
        ("size", "small"): (1, 1, ("a",)),
        ("size", "medium"): (1, 0, ()),
        ("size", "large"): (1, 0, ()),
        ("place", "centre"): (2, 1, ("a",)),
        ("place", "edge"): (1, 0, ()),
        ("strength", "faint"): (1, 1, ("a",)),
        ("strength", "strong"): (2, 0, ()),
    }


def test_cells_count_what_is_real_and_what_was_made(pictures):
    found = marks(*pictures)
    assert cells(["a", "a", "a", "b"], found) == (
        Cell("a", "large", "edge", real=1),
        Cell("a", "small", "centre", real=1),
        Cell("b", "medium", "centre", real=1),
    )
    assert cells(["a", "a", "a", "b"], found, ["b", "a", "b", "b"], found)[0] == Cell("a", "large", "edge", 1, 1)
    assert cells(["a", "a", "a", "b"], found, ["b", "a", "b", "b"], found)[-1] == Cell("b", "small", "centre", 0, 1)


def test_words():
    assert [size_of(share) for share in (0.005, 0.006, 0.03, 0.04)] == ["small", "medium", "medium", "large"]
    assert [place_of(np.array(at)) for at in ((0.5, 0.5), (0.8, 0.5), (0.5, 0.9), (0.1, 0.5))] == [
        *("centre", "centre", "edge", "edge"),
    ]
    assert [strength_of(value) for value in (0.9, 1.0)] == ["faint", "strong"]


def test_a_mask_over_everything_has_no_surroundings():
    found = marks([np.zeros((8, 8, 3), np.uint8), None], [np.ones((8, 8), bool), np.eye(8, dtype=bool)])
    assert found.area.tolist() == [1.0, 0.125]
    assert np.isnan(found.contrast).all()


def test_a_mask_of_another_size_is_refused():
    with pytest.raises(AgentadError) as caught:
        marks([np.zeros((8, 9, 3), np.uint8)], [np.ones((8, 8), bool)])
    assert str(caught.value) == "feedback: image 0 is (8, 9), its mask (8, 8)"
