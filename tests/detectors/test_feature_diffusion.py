import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from synthetic_patches import anomalous, normal

from agentad.detectors.feature_diffusion import FeatureDiffusion


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
