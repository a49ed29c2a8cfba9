"""One bank-diffusion detector for several categories, on patches whose categories are known by construction."""

import numpy as np
import pytest
from synthetic_patches import normal

from agentad.detectors.bank_diffusion import BankDiffusion
from agentad.detectors.categories import BEYOND, Apart
from agentad.errors import InputError

EACH = 24
TURN = np.roll(np.eye(12, dtype=np.float32), 5, axis=0)
"""Makes another category of `normal`: the same lengths and spreads in other directions."""
OF = np.repeat([0, 1], EACH)


def two(n, seed=0):
    """n items of each of two categories; those of the second are spread five times as wide."""
    return np.concatenate([normal(n, seed), 5 * normal(n, seed + 100) @ TURN])


def tiny(**settings):
    return BankDiffusion(**{"size": 2000, "components": 12, "steps": 60, "folds": 2} | settings)


@pytest.fixture(scope="module")
def told():
    return tiny().fit(two(EACH), categories=OF)


@pytest.fixture(scope="module")
def untold():
    return tiny().fit(two(EACH))


def test_what_is_normal_elsewhere_is_found_only_when_told(told, untold):
    swapped = two(6, seed=7)
    here, elsewhere = np.repeat([0, 1], 6), np.repeat([1, 0], 6)
    right, wrong = told.score(swapped, categories=here).item, told.score(swapped, categories=elsewhere).item
    assert (wrong[:6].min() > 3 * right.max()) and (wrong[6:].min() > 3 * right.max())
    level = np.quantile(untold.held_out.item, 0.99)
    assert (untold.score(swapped).item > level).mean() < 0.4  # nothing strange in the union of both


def test_the_denoisers_are_told_too(told):
    cells = told._diffusion.whitening.apply(normal(6, seed=7))
    right, wrong = (told._diffusion.lengths(cells, np.full(6, c)).mean() for c in (0, 1))
    assert wrong > 1.03 * right


def test_each_category_has_a_scale_of_its_own(told, untold):
    for scores, of in ((told.held_out, OF), (told.score(two(EACH, seed=5), categories=OF), OF)):
        for c in (0, 1):
            assert np.median(scores.local[of == c]) == pytest.approx(0, abs=0.15)
            assert np.quantile(scores.local[of == c], 0.95) == pytest.approx(1, abs=0.3)
    pooled = [np.quantile(untold.held_out.local[of == c], 0.95) for of, c in ((OF, 0), (OF, 1))]
    assert max(pooled) > 2 * min(pooled)  # as they would be without


def test_a_category_that_is_not_told_is_the_one_whose_normals_are_nearest(told):
    x = two(5, seed=9)
    found = told.score(x)
    assert found.category.tolist() == [0] * 5 + [1] * 5
    assert np.array_equal(found.local, told.score(x, categories=found.category).local)
    some = told.score(x, categories=np.array([1, *[-1] * 9]))
    assert some.category.tolist() == [1] + [0] * 4 + [1] * 5
    assert some.item[0] > 2 * found.item[0]
    assert np.array_equal(some.item[1:], found.item[1:])
    assert some.take(np.array([0, 9])).category.tolist() == [1, 1]


def test_neighbours_come_from_the_category(told):
    x = two(3, seed=9)
    for of in (np.repeat([0, 1], 3), np.repeat([1, 0], 3)):
        assert np.array_equal(
            told.nearest(x, categories=of).item >= EACH, np.broadcast_to(of[:, None, None], (6, 6, 6))
        )


def test_restores_exactly(told):
    x, of = two(3, seed=9), np.repeat([0, 1], 3)
    again = BankDiffusion.restore(told.state())
    assert again.categories == told.categories == 2
    for own in (of, None):
        assert np.array_equal(again.score(x, categories=own).local, told.score(x, categories=own).local)
        assert np.array_equal(again.score(x, categories=own).doubt, told.score(x, categories=own).doubt)
    assert np.array_equal(again.nearest(x, categories=of).item, told.nearest(x, categories=of).item)


def test_an_item_has_the_same_score_alone_and_in_company(told):
    x = two(2, seed=9)
    assert np.array_equal(np.concatenate([told.score(one[None]).item for one in x]), told.score(x).item)


def test_a_category_of_one_group_is_refused():
    with pytest.raises(InputError) as error:
        tiny().fit(two(2), groups=np.array([0, 1, 2, 2]), categories=np.array([0, 0, 1, 1]))
    assert str(error.value) == (
        "category 1 has items of 1 group(s), and needs 2 at least. Add normal items of it, or leave the category out."
    )


def test_apart():
    cells = normal(4)
    apart = Apart.of(cells, np.array([0, 1, 2, 2]))
    placed = apart.apply(cells, np.array([0, 1, 2, -1]))
    assert placed.shape == (4, 6, 6, 15)
    assert np.array_equal(placed[..., :12], cells)
    assert (placed[..., 12:] != 0).sum(axis=(1, 2, 3)).tolist() == [36, 36, 36, 0]
    between = np.linalg.norm(placed[0, 0, 0, 12:] - placed[1, 0, 0, 12:])
    assert between == pytest.approx(BEYOND * np.linalg.norm(cells, axis=-1).max(), rel=1e-5)
