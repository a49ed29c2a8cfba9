import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from synthetic_patches import anomalous, normal

from agentad.detectors.feature_diffusion import FeatureDiffusion, around


def tiny(*, steps=150, **settings):
    return FeatureDiffusion(**{"components": 12, "width": 32, "steps": steps, "folds": 2, "sample": 2000} | settings)


@pytest.fixture(scope="module")
def fitted():
    return tiny().fit(normal(40))


def test_beats_its_untrained_self(fitted):
    x, mask = anomalous(20)
    learned = roc_auc_score(mask.ravel(), fitted.score(x).local.ravel())
    untrained = roc_auc_score(mask.ravel(), tiny(steps=1).fit(normal(40)).score(x).local.ravel())
    assert learned > 0.97
    assert untrained < 0.6


def test_scores_differ_between_items(fitted):
    assert len(set(fitted.held_out.item)) == 40


def test_items_with_a_defect_score_above_normal_ones(fitted):
    x, _ = anomalous(20)
    assert roc_auc_score(np.repeat([0, 1], 20), fitted.score(np.concatenate([normal(20, seed=7), x])).item) > 0.95


def test_held_out_scores_are_those_of_new_normals(fitted):
    new = fitted.score(normal(40, seed=5)).local
    assert np.median(fitted.held_out.local) == pytest.approx(np.median(new), rel=0.15)


def test_an_item_is_judged_by_denoisers_that_saw_no_other_of_its_group():
    x = normal(8)
    x[0] += 6  # two strange items of one group: a denoiser that saw one of them would accept the other
    x[1] = x[0]
    together = tiny(folds=4, steps=60).fit(x, groups=np.array([0, 0, 1, 2, 3, 4, 5, 6])).held_out.item
    apart = tiny(folds=8, steps=60).fit(x).held_out.item
    assert together[:2].min() > 1.3 * apart[:2].max()


def test_restores_exactly(fitted):
    x = normal(3, seed=9)
    again = FeatureDiffusion.restore(fitted.state())
    assert np.array_equal(again.score(x).local, fitted.score(x).local)
    assert again.settings() == fitted.settings()


def test_the_seed_decides_everything():
    x = normal(6)
    first, second, other = (tiny(steps=3).fit(x, seed=seed).score(x).item for seed in (1, 1, 2))
    assert np.array_equal(first, second)
    assert not np.array_equal(first, other)


def test_around_holds_the_eight_neighbours_row_by_row():
    cells = np.arange(12, dtype=np.float32).reshape(1, 3, 4, 1)
    assert around(cells, 1)[0, 1, 2].tolist() == [1, 2, 3, 5, 7, 9, 10, 11]
    assert around(cells, 1)[0, 0, 0].tolist() == [0, 0, 1, 0, 1, 4, 4, 5]  # the border is repeated
    assert around(np.repeat(cells, 3, axis=3), 2).shape == (1, 3, 4, 16)


def test_what_is_normal_elsewhere_is_not_where_its_surroundings_say_otherwise():
    """Left halves show one texture, right halves another; a swapped patch is unlike its neighbours alone."""
    x = normal(60)
    kind = np.random.default_rng(5).normal(size=x.shape[-1]).astype(np.float32) * 3
    x = 0.3 * x + np.where(np.arange(6)[:, None] < 3, kind, -kind)
    odd = x[:20].copy()
    odd[:, 2, 0] -= 2 * kind  # as the right half is
    known, blind = (tiny(steps=300, sigma=1.5, context=context).fit(x[20:]).score(odd).local for context in (4, 0))
    others = np.delete(known.reshape(20, -1), 12, axis=1)
    assert (known[:, 2, 0] > others.max(axis=1)).mean() > 0.8
    assert known[:, 2, 0].mean() > 2 * blind[:, 2, 0].mean()
