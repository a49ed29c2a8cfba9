import numpy as np
import pytest
from row_data import AWKWARD, curve, everything, off_the_curve
from scipy.optimize import minimize_scalar
from scipy.stats import invgamma
from sklearn.metrics import roc_auc_score

from agentad.detectors.diffusion_time_np import DiffusionTimeNP
from agentad.errors import InputError


def test_by_hand():
    # Mean 0 and deviation 2 in both columns, so that units are halves.
    x = np.array([[2, 2], [-2, -2], [2, -2], [-2, 2]], dtype=np.float32)
    detector = DiffusionTimeNP(neighbours=2).fit(x)
    # From (2, 0), the nearest are (2, 2) and (2, -2), each at 2 / 2 = 1: r² / d = 1 / 2.
    scores = detector.score(np.array([[2, 0]], dtype=np.float32))
    assert scores.item[0] == pytest.approx(0.5)
    np.testing.assert_allclose(scores.local, [[0, 0.5]], atol=1e-6)
    np.testing.assert_allclose(scores.expected, [[2, 0]], atol=1e-6)
    # Each training row has two others at 4 / 2 = 2: r² / d = 4 / 2.
    np.testing.assert_allclose(detector.held_out.item, 2)


def test_is_the_mode_of_the_inverse_gamma_posterior():
    x, row = curve(200, 0), curve(1, 1)
    score = DiffusionTimeNP(neighbours=1).fit(x).score(row).item[0]
    r = np.sqrt((((x - row) / x.std(axis=0)) ** 2).sum(axis=1).min())
    posterior = invgamma(a=3 / 2 - 1, scale=r**2 / 2)
    mode = minimize_scalar(lambda v: -posterior.logpdf(np.exp(v)), bounds=(-12, 3), method="bounded").x
    assert np.log(score) == pytest.approx(mode, abs=1e-3)


def test_points_off_the_curve_score_higher():
    scores = DiffusionTimeNP().fit(curve(400, 0)).score(np.concatenate([curve(200, 1), off_the_curve(200, 2)])).item
    assert roc_auc_score(np.repeat([0, 1], 200), scores) > 0.9


def test_held_out_leaves_out_the_row_and_its_group():
    x = curve(100, 3)
    x[:3] = [10, -10, 10]
    groups = np.arange(100)
    groups[:3] = 0
    assert DiffusionTimeNP(neighbours=2).fit(x).held_out.item[:3].max() == 0
    assert set(np.argsort(DiffusionTimeNP(neighbours=2).fit(x, groups=groups).held_out.item)[-3:]) == {0, 1, 2}


def test_references_are_bounded():
    detector = DiffusionTimeNP(references=30).fit(curve(100, 4), seed=1)
    assert detector.state().arrays["rows"].shape == (30, 3)
    assert detector.held_out.item.shape == (100,)


def test_contributions_sum_to_the_score():
    scores = DiffusionTimeNP().fit(curve(100, 5)).score(curve(20, 6))
    np.testing.assert_allclose(scores.local.sum(axis=1), scores.item, rtol=1e-5)


def test_restores_exactly():
    detector, x = DiffusionTimeNP(neighbours=3).fit(curve(100, 7)), curve(20, 8)
    again = DiffusionTimeNP.restore(detector.state())
    np.testing.assert_array_equal(everything(again.score(x)), everything(detector.score(x)))


@pytest.mark.parametrize("name", AWKWARD)
def test_awkward_data_give_finite_scores(name):
    x = AWKWARD[name].astype(np.float32)
    detector = DiffusionTimeNP().fit(x)
    for scores in (detector.held_out, detector.score(x), detector.score(np.full_like(x[:1], 3e38))):
        assert np.isfinite(everything(scores)).all()


def test_one_source_cannot_be_judged():
    message = "^5 rows of one source cannot judge each other; give rows of at least two sources$"
    with pytest.raises(InputError, match=message):
        DiffusionTimeNP().fit(curve(5, 0), groups=np.zeros(5, dtype=int))
