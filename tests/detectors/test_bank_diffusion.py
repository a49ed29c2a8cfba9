import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from synthetic_patches import anomalous, normal

from agentad.detectors.bank_diffusion import BankDiffusion, Scale


def tiny(**settings):
    return BankDiffusion(**{"size": 500, "components": 12, "steps": 15, "folds": 2} | settings)


@pytest.fixture(scope="module")
def fitted():
    return tiny().fit(normal(40))


def test_scale_puts_the_median_at_0_and_the_95th_percentile_at_1():
    scale = Scale.of(np.arange(101.0))
    assert scale.apply(np.array([50.0, 95.0, 5.0])).tolist() == [0, 1, -1]


def test_finds_items_and_patches(fitted):
    x, mask = anomalous(20)
    scores = fitted.score(np.concatenate([normal(20, seed=7), x]))
    assert roc_auc_score(np.repeat([0, 1], 20), scores.item) > 0.98
    assert roc_auc_score(mask.ravel(), scores.local[20:].ravel()) > 0.98


def test_local_scores_are_calibrated_on_held_out_normals(fitted):
    for local in (fitted.held_out.local, fitted.score(normal(40, seed=5)).local):
        assert np.median(local) == pytest.approx(0, abs=0.15)
        assert np.quantile(local, 0.95) == pytest.approx(1, abs=0.25)


def test_a_twin_in_the_same_group_does_not_help():
    x = normal(40)
    x[0] += 6  # strange, and there twice: with its twin's help it would look normal
    twins = np.concatenate([x, x])
    grouped = tiny(steps=2).fit(twins, groups=np.tile(np.arange(40), 2)).held_out.item
    alone = tiny(steps=2).fit(twins).held_out.item
    assert grouped[[0, 40]].min() > 2 * grouped[[1, 41]].max()
    assert alone[0] < grouped[0] / 2


def test_nearest_normals(fitted):
    found = fitted.nearest(normal(40)[:2])
    assert found.item.shape == found.cell.shape == (2, 6, 6)
    assert found.item.max() < 40
    assert found.cell.max() < 36


def test_an_item_has_the_same_score_alone_and_in_company(fitted):
    x = normal(5, seed=9)
    assert np.array_equal(np.concatenate([fitted.score(one[None]).item for one in x]), fitted.score(x).item)


def test_two_items_are_enough():
    detector = tiny(steps=2, size=12).fit(normal(2))
    assert np.isfinite(detector.held_out.local).all()
    assert np.isfinite(detector.score(normal(1, seed=9)).local).all()


def test_restores_exactly(fitted):
    x = normal(3, seed=9)
    again = BankDiffusion.restore(fitted.state())
    assert np.array_equal(again.score(x).local, fitted.score(x).local)
    assert np.array_equal(again.score(x).item, fitted.score(x).item)
    assert np.array_equal(again.nearest(x).item, fitted.nearest(x).item)


def test_same_seed_same_scores():
    x = normal(6)
    first, second = (tiny(steps=3).fit(x, seed=1).held_out.item for _ in range(2))
    assert np.array_equal(first, second)


def test_doubt_is_where_one_part_sees_what_the_other_does_not(fitted):
    assert fitted.held_out.doubt.shape == fitted.held_out.local.shape
    x, mask = anomalous(20)
    doubt = fitted.score(np.concatenate([normal(20, seed=7), x])).doubt
    assert doubt.min() >= 0
    assert doubt.max() <= 1
    assert doubt[20:][mask > 0].mean() < 0.5  # both see these plain defects
    assert len(np.unique(doubt)) > 100


def test_a_detector_saved_before_there_was_doubt_has_none(fitted):
    state = fitted.state()
    x = normal(3, seed=8)
    again = BankDiffusion.restore(state).score(x)
    assert np.array_equal(again.doubt, fitted.score(x).doubt)
    del state.arrays["rarities"]
    old = BankDiffusion.restore(state)
    assert old.score(x).doubt is None
    assert np.array_equal(old.score(x).local, again.local)
    assert BankDiffusion.restore(old.state()).score(x).doubt is None


def test_few_images_are_trusted_less():
    """With 2 of the 200 images that are enough, the map is nearly the distance alone; twice as many count twice."""
    few, more = (tiny(steps=2, size=10_000).fit(normal(n)) for n in (2, 4))
    assert more._trust == 2 * few._trust == 4 / 200
    x = normal(3, seed=9)
    cells = few._diffusion.whitening.apply(x)
    distance = few._bank.search(cells, 1)[0][..., 0]
    local = few.score(x).local
    assert np.corrcoef(distance.ravel(), local.ravel())[0, 1] > 0.98
