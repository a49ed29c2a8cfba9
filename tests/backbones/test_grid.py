import numpy as np
import pytest

from agentad.backbones.grid import OVERLAP, Grid, shaped, spans, square
from agentad.errors import InputError

PLAIN = square(280, 14)


def test_a_square_of_whole_patches():
    assert Grid(20, 20, 14) == PLAIN
    assert PLAIN.pixels == (280, 280)
    with pytest.raises(InputError) as caught:
        square(50, 14)
    assert str(caught.value) == "size 50: give a multiple of the patch side 14, such as 42 or 56"


@pytest.mark.parametrize(
    ("aspect", "wanted"),
    [
        (1, (20, 20)),
        (1.09, (20, 20)),
        (1 / 1.09, (20, 20)),
        (2.5, (12, 31)),
        (0.4, (31, 12)),
        (4, (10, 40)),
        (900, (10, 40)),
    ],
)
def test_the_grid_follows_the_images_and_costs_no_more(aspect, wanted):
    found = shaped(PLAIN, aspect, 1.0, 1)
    assert (found.rows, found.columns) == wanted
    assert found.rows * found.columns <= 400


@pytest.mark.parametrize(("side", "tiles"), [(64, 1), (1024, 1), (2048, 2), (3000, 3), (4472, 4), (20000, 4)])
def test_tiles_are_chosen_by_the_size_of_the_images(side, tiles):
    assert shaped(PLAIN, 1.0, float(side * side), 0).tiles == tiles


def test_tiles_that_are_asked_for_multiply_the_grid():
    assert shaped(PLAIN, 2.0, 1.0, 3) == Grid(42, 84, 14, 3)


@pytest.mark.parametrize(("total", "tiles"), [(20, 1), (40, 2), (84, 3), (80, 4), (7, 3), (3, 3)])
def test_tiles_cover_everything_and_weigh_one(total, tiles):
    weight = np.zeros(total)
    found = spans(total, tiles)
    assert len({len(fade) for _, fade in found}) == 1
    for start, fade in found:
        assert start >= 0
        weight[start : start + len(fade)] += fade
    np.testing.assert_allclose(weight, 1, atol=1e-6)


def test_what_lies_beside_a_cut_counts_little():
    (_, first), (start, second) = spans(40, 2)
    assert len(first) - start == OVERLAP
    assert first[-1] < 0.05
    assert second[0] < 0.05
    assert (first[0], second[-1]) == (1, 1)
