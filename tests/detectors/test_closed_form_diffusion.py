import numpy as np
import pytest
from row_data import AWKWARD, curve, off_the_curve
from sklearn.metrics import roc_auc_score

from agentad.detectors.closed_form_diffusion import WIDEST, ClosedFormDiffusion
from agentad.detectors.empirical_denoiser import EmpiricalDenoiser
from agentad.detectors.memory_bank import MemoryBank
from agentad.errors import InputError


def everything(scores):
    return np.concatenate([scores.item.ravel(), scores.local.ravel(), scores.expected.ravel()])


def factors(n, seed, *, broken=False):
    """Twelve columns that follow two hidden factors; broken, one of them leaves the others by a standard deviation."""
    generator = np.random.default_rng(seed)
    loading = np.random.default_rng(99).normal(size=(2, 12))
    x = generator.normal(size=(n, 2)) @ loading + 0.1 * generator.normal(size=(n, 12))
    if broken:
        x[np.arange(n), generator.integers(12, size=n)] += generator.choice([-1.0, 1.0], n)
    return x.astype(np.float32)


@pytest.fixture(scope="module")
def detector():
    return ClosedFormDiffusion().fit(curve(600, 0))


def test_points_off_the_curve_score_higher(detector):
    scores = detector.score(np.concatenate([curve(200, 1), off_the_curve(200, 2)])).item
    assert roc_auc_score(np.repeat([0, 1], 200), scores) > 0.97


def test_what_holds_between_columns_is_seen_where_references_are_few():
    new = np.concatenate([factors(300, 1), factors(300, 2, broken=True)])
    label = np.repeat([0, 1], 300)
    found = {
        kind: roc_auc_score(label, kind().fit(factors(60, 0)).score(new).item)
        for kind in (ClosedFormDiffusion, EmpiricalDenoiser, MemoryBank)
    }
    assert found[ClosedFormDiffusion] > 0.95
    assert found[ClosedFormDiffusion] > found[EmpiricalDenoiser] + 0.02
    assert found[ClosedFormDiffusion] > found[MemoryBank] + 0.02


def test_contributions_sum_to_the_score_and_name_the_column(detector):
    odd = curve(50, 4)
    odd[:, 1] -= 2
    scores = detector.score(odd)
    assert (scores.local >= 0).all()
    np.testing.assert_allclose(scores.local.sum(axis=1), scores.item, rtol=1e-4)
    assert (scores.local[:, 2] < scores.local[:, :2].max(axis=1)).mean() > 0.9


def test_held_out_scores_are_like_those_of_new_rows(detector):
    new = detector.score(curve(600, 5)).item
    for q in (0.5, 0.9):
        assert np.mean(new > np.quantile(detector.held_out.item, q)) == pytest.approx(1 - q, abs=0.06)


def test_held_out_leaves_out_the_group():
    x = curve(300, 7)
    x[10:14] = [10, -10, 10]
    together = np.arange(300)
    together[10:14] = 10
    grouped = ClosedFormDiffusion().fit(x, groups=together)
    assert set(np.argsort(grouped.held_out.item)[-4:]) == {10, 11, 12, 13}


def test_references_are_bounded_and_the_rest_is_held_out_too():
    detector = ClosedFormDiffusion(references=100).fit(curve(500, 8), seed=1)
    assert detector.state().arrays["rows"].shape == (100, 3)
    assert detector.held_out.item.shape == (500,)
    assert np.isfinite(everything(detector.held_out)).all()


def test_restored_detector_scores_the_same(detector):
    x = curve(40, 9)
    restored = ClosedFormDiffusion.restore(detector.state())
    np.testing.assert_array_equal(everything(restored.score(x)), everything(detector.score(x)))


def test_a_table_too_wide_for_mixtures_is_scored_without_them():
    x = np.random.default_rng(0).normal(size=(60, WIDEST + 1)).astype(np.float32)
    detector = ClosedFormDiffusion().fit(x)
    assert not any(name.startswith("mixture") for name in detector.state().arrays)
    restored = ClosedFormDiffusion.restore(detector.state())
    np.testing.assert_array_equal(restored.score(x).item, detector.score(x).item)


def test_same_seed_same_scores_and_company_does_not_matter(detector):
    again, x = ClosedFormDiffusion().fit(curve(600, 0)), curve(30, 10)
    np.testing.assert_array_equal(everything(again.held_out), everything(detector.held_out))
    alone = np.concatenate([detector.score(x[i : i + 1]).item for i in range(30)])
    np.testing.assert_allclose(alone, detector.score(x).item, rtol=1e-4)


@pytest.mark.parametrize("name", AWKWARD)
def test_awkward_data_give_finite_scores(name):
    x = AWKWARD[name].astype(np.float32)
    detector = ClosedFormDiffusion().fit(x)
    for scores in (detector.held_out, detector.score(x), detector.score(np.full_like(x[:1], 3e38))):
        assert np.isfinite(everything(scores)).all()
        assert scores.local.shape == scores.expected.shape == (len(scores.item), x.shape[1])


def test_one_row_cannot_be_judged():
    message = "^1 rows of one source cannot judge each other; give rows of at least two sources$"
    with pytest.raises(InputError, match=message):
        ClosedFormDiffusion().fit(np.zeros((1, 2), dtype=np.float32))
