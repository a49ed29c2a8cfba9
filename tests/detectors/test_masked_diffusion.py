import numpy as np
import pytest
import torch
from row_data import curve, everything
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors

from agentad.detectors.masked_diffusion import MaskedDiffusion
from agentad.detectors.mixed_diffusion import MixedDiffusion, VisibleDenoiser
from agentad.detectors.mixed_rows import MixedRows
from agentad.modalities.table import Layout


def pairs(n, seed):
    """Three columns, the second the negative of the first up to a little noise, the third on its own."""
    generator = np.random.default_rng(seed)
    a = generator.standard_normal(n)
    return np.stack([a, -a + 0.1 * generator.standard_normal(n), generator.standard_normal(n)], axis=1).astype(
        np.float32
    )


def tiny(**settings):
    return MaskedDiffusion(**{"width": 48, "steps": 300, "blocks": 3} | settings)


@pytest.fixture(scope="module")
def fitted():
    return tiny().fit(pairs(800, 0))


def test_fills_in_what_the_other_columns_tell(fitted):
    x = pairs(100, 1)
    filled = fitted.score(x).expected
    assert np.corrcoef(filled[:, 0], x[:, 0])[0, 1] > 0.95
    assert np.abs(np.corrcoef(filled[:, 2], x[:, 2])[0, 1]) < 0.4


def test_what_is_filled_in_does_not_know_the_hidden_value(fitted):
    x = pairs(20, 2)
    other = x.copy()
    other[:, 2] += 3
    np.testing.assert_array_equal(fitted.score(x).expected[:, 2], fitted.score(other).expected[:, 2])


def test_contributions_sum_to_the_score_and_name_the_broken_pair(fitted):
    x = pairs(50, 3)
    x[:, 1] += 2
    scores = fitted.score(x)
    np.testing.assert_allclose(scores.local.sum(axis=1), scores.item, rtol=1e-5)
    assert (scores.local[:, 2] < scores.local[:, :2].max(axis=1)).mean() > 0.95


def test_missing_values_count_neither_in_the_loss_nor_as_input():
    x = torch.from_numpy(pairs(64, 4))
    x[:, 0] = torch.nan
    network = VisibleDenoiser(3, width=16)
    torch.nn.init.ones_(network.inner.leave.weight)
    MixedDiffusion(MixedRows.of(None, 3)).loss(network, x, torch.Generator().manual_seed(0)).backward()
    learned = network.inner.leave.weight.grad.abs().sum(dim=1)
    assert learned[0] == 0
    assert (learned[1:3] > 0).all()
    visible = torch.tensor([False, True, True]).expand(64, 3)
    first, second = (network(x.nan_to_num(0), torch.zeros(1), x.nan_to_num(fill), visible) for fill in (0.0, 7.0))
    torch.testing.assert_close(first, second)


def test_learns_and_scores_with_holes(fitted):
    x = pairs(800, 5)
    x[np.random.default_rng(0).random(x.shape) < 0.2] = np.nan
    detector = tiny().fit(x)
    assert np.isfinite(detector.held_out.item).all()
    assert (detector.held_out.local[np.isnan(x)] == 0).all()
    filled = detector.score(np.array([[1.5, np.nan, 0], [-1.5, np.nan, 0]], dtype=np.float32)).expected[:, 1]
    assert filled[0] < -0.9
    assert filled[1] > 0.9


def test_a_column_without_any_value_is_harmless():
    x = curve(50, 6)
    x[:, 1] = np.nan
    assert np.isfinite(tiny(steps=3).fit(x).held_out.item).all()


LEVELS = 3


def shops(n, seed, *, wrong=None):
    """Encoded rows: a number with a flag, the level it decides, a level that goes with that one, and a free number.

    `wrong` is the category whose level is another than the others say. A number is missing in a fifth of the rows, and
    only where the free number is positive.
    """
    generator = np.random.default_rng(seed)
    level = generator.integers(LEVELS, size=n)
    number, free = 10 * level + generator.standard_normal(n), generator.standard_normal(n)
    missing = (free > 0) & (generator.random(n) < 0.4)
    twin = level.copy()
    if wrong is not None:
        other = (level + generator.integers(1, LEVELS, size=n)) % LEVELS
        level, twin = (other, twin) if wrong == "level" else (level, other)
    number[missing] = 10.0  # what an encoder fills in
    return np.column_stack([number, missing, np.eye(LEVELS)[level], np.eye(LEVELS)[twin], free]).astype(np.float32)


SHOPS = Layout(
    source=np.array([0, 0, 1, 1, 1, 2, 2, 2, 3]),
    category=np.array([-1, 0, 1, 1, 1, 2, 2, 2, -1]),
    flag=np.array([1, -1, -1, -1, -1, -1, -1, -1, -1]),
)


@pytest.fixture(scope="module")
def mixed():
    return tiny(steps=500).fit(shops(800, 0), layout=SHOPS)


@pytest.mark.parametrize("wrong", ["level", "twin"])
def test_a_level_that_the_other_columns_rule_out_stands_out(mixed, wrong):
    normal, odd = mixed.score(shops(300, 1)).item, mixed.score(shops(300, 2, wrong=wrong)).item
    assert np.quantile(normal, 0.99) < np.quantile(odd, 0.01)


def nights(n, seed, *, wrong=False):
    """Encoded rows: a number, yes or no by where it lies, and beside them six levels and two numbers by chance."""
    generator = np.random.default_rng(seed)
    number, one, two = generator.standard_normal((3, n))
    late = (number > 0.5) != wrong
    return np.column_stack([number, late, np.eye(6)[generator.integers(6, size=n)], one, two]).astype(np.float32)


def test_a_layout_tells_more_than_numbers_and_neighbours_do():
    x = nights(800, 0)
    layout = Layout(np.array([0, 1, *[2] * 6, 3, 4]), np.array([-1, 0, *[1] * 6, -1, -1]), np.full(10, -1))
    new = np.concatenate([nights(300, 1), nights(300, 2, wrong=True)])
    told, plain = (tiny(steps=500).fit(x, layout=given).score(new).item for given in (layout, None))
    near = NearestNeighbors(n_neighbors=1).fit(x / x.std(axis=0)).kneighbors(new / x.std(axis=0))[0][:, 0]
    aurocs = [roc_auc_score(np.repeat([0, 1], 300), score) for score in (told, plain, near)]
    assert aurocs[0] > max(0.9, aurocs[1] + 0.05, aurocs[2] + 0.05), aurocs


def test_levels_are_expected_with_probabilities(mixed):
    x = shops(200, 3)
    found = mixed.score(x).expected
    np.testing.assert_allclose(found[:, 2:5].sum(axis=1), 1, atol=1e-5)
    assert (found[:, 2:5].argmax(axis=1) == x[:, 2:5].argmax(axis=1)).mean() > 0.97
    assert ((found[:, 2:8] >= 0) & (found[:, 2:8] <= 1)).all()


def test_what_is_told_of_a_category_does_not_know_its_level(mixed):
    x = shops(40, 4)
    other = x.copy()
    other[:, 5:8] = np.roll(x[:, 5:8], 1, axis=1)
    np.testing.assert_array_equal(mixed.score(x).expected[:, 5:8], mixed.score(other).expected[:, 5:8])


def test_a_category_contributes_with_the_level_that_the_row_has(mixed):
    x = shops(100, 5, wrong="twin")
    scores = mixed.score(x)
    np.testing.assert_allclose(scores.local.sum(axis=1), scores.item, rtol=1e-5)
    assert (scores.local[:, 2:8][x[:, 2:8] == 0] == 0).all()
    assert (scores.local[:, 5:8].sum(axis=1) > scores.local[:, 8]).mean() > 0.95


def test_what_was_filled_in_does_not_matter(mixed):
    x = shops(200, 6)
    gone = x[:, 1] == 1
    other = x.copy()
    other[gone, 0] = 1e6
    first, second = mixed.score(x), mixed.score(other)
    np.testing.assert_array_equal(first.item, second.item)
    assert (first.local[gone, 0] == 0).all()
    learned = tiny(steps=20).fit(x, layout=SHOPS).state().arrays
    again = tiny(steps=20).fit(other, layout=SHOPS).state().arrays
    assert all(np.array_equal(learned[name], again[name]) for name in learned)


def test_that_a_value_is_missing_is_told_by_the_others(mixed):
    x = shops(400, 7)
    told = mixed.score(x).expected[:, 1]
    assert told[x[:, 8] > 0.5].mean() > told[x[:, 8] < -0.5].mean() + 0.2
    x[:, 1], x[:, 8] = 1, -1.5  # missing where it never is
    strange = mixed.score(x).local[:, 1]
    x[:, 8] = 1.5
    assert np.median(strange) > 2 * np.median(mixed.score(x).local[:, 1])


def test_a_level_never_seen_in_a_yes_or_no_column_stands_out():
    generator = np.random.default_rng(0)
    x = np.column_stack([generator.integers(2, size=300), generator.standard_normal(300)]).astype(np.float32)
    layout = Layout(np.arange(2), np.array([0, -1]), np.array([-1, -1]))
    detector = tiny().fit(x, layout=layout)
    new = x.copy()
    new[:, 0] = 2
    assert np.median(detector.score(new).local[:, 0]) > 3 * detector.score(x).local[:, 0].max()


def test_a_missing_category_has_no_level_and_no_part_in_the_score(mixed):
    x = shops(50, 8)
    x[:, 5:8] = 0
    scores = mixed.score(x)
    assert (scores.local[:, 5:8] == 0).all()
    assert np.isfinite(scores.item).all()


def test_all_of_a_source_column_is_hidden_together(mixed):
    block = dict(zip(mixed._mixed.source.tolist(), mixed._block.tolist(), strict=True))
    assert [block[source] for source in mixed._mixed.source] == mixed._block.tolist()
    assert block[0] != block[1]  # they tell each other
    assert block[1] != block[2]


def test_restores_with_its_layout(mixed):
    x = shops(40, 9)
    again = MaskedDiffusion.restore(mixed.state())
    np.testing.assert_array_equal(everything(again.score(x)), everything(mixed.score(x)))
    assert {"source", "category", "flag", "gumbel"} <= set(mixed.state().arrays)


def test_a_row_of_categories_scores_the_same_in_any_company(mixed):
    x = shops(30, 10)
    np.testing.assert_allclose(mixed.score(x[7:8]).item, mixed.score(x).item[7:8], rtol=1e-4)


def test_nothing_but_categories():
    x = np.eye(LEVELS, dtype=np.float32)[np.arange(60) % LEVELS]
    layout = Layout(np.zeros(LEVELS, int), np.zeros(LEVELS, int), np.full(LEVELS, -1))
    detector = tiny(steps=5).fit(x, layout=layout)
    assert np.isfinite(detector.held_out.item).all()
    assert detector.score(x[:0]).item.shape == (0,)
