import numpy as np
import pytest
from row_data import AWKWARD
from sklearn.metrics import average_precision_score

from agentad.detectors.robust_fusion import WIDEST, RobustFusion
from agentad.detectors.self_cleaning import SelfCleaning


def everything(scores):
    return np.concatenate([scores.item.ravel(), scores.local.ravel(), scores.expected.ravel()])


def hidden(kind, seed=0, n=1000):
    """Rows of eight correlated columns, one in twenty of them odd in one way; which."""
    generator = np.random.default_rng(seed)
    factors, loading = generator.normal(size=(n, 3)), np.random.default_rng(9).normal(size=(3, 8))
    x = factors @ loading + 0.3 * generator.normal(size=(n, 8))
    odd = np.arange(n) % 20 == 0
    if kind == "crowd":
        x[odd] = 0.5 * generator.normal(size=(odd.sum(), 8)) + np.where(np.arange(8) % 2, 2.5, -2.5)
    elif kind == "value":
        x[odd, 2] = x[:, 2].max() * (1.3 + generator.random(odd.sum()))
    else:
        x[odd, 1] += generator.choice([-3.0, 3.0], odd.sum())
    return x.astype(np.float32), odd


@pytest.fixture(scope="module")
def detector():
    return RobustFusion().fit(hidden("value")[0])


@pytest.mark.parametrize(("kind", "least"), [("crowd", 0.3), ("value", 0.995), ("relation", 0.6)])
def test_each_kind_of_anomaly_is_ranked_better_than_by_distances_alone(kind, least):
    x, odd = hidden(kind)
    fused, alone = (average_precision_score(odd, d().fit(x).held_out.item) for d in (RobustFusion, SelfCleaning))
    assert fused > least
    assert fused > alone


def test_contributions_sum_to_the_score_and_name_the_column(detector):
    odd = hidden("value")[1]
    scores = detector.held_out
    np.testing.assert_allclose(scores.local.sum(axis=1), scores.item, rtol=1e-4)
    assert (scores.local[odd].argmax(axis=1) == 2).mean() > 0.9


def test_new_rows_score_like_training_rows(detector):
    new = detector.score(hidden("value", seed=1)[0]).item
    for q in (0.25, 0.5, 0.9):
        assert np.mean(new > np.quantile(detector.held_out.item, q)) == pytest.approx(1 - q, abs=0.06)


def test_restored_detector_scores_the_same(detector):
    x = hidden("crowd", seed=2, n=60)[0]
    restored = RobustFusion.restore(detector.state())
    np.testing.assert_array_equal(everything(restored.score(x)), everything(detector.score(x)))


def test_same_seed_same_scores(detector):
    np.testing.assert_array_equal(
        everything(RobustFusion().fit(hidden("value")[0]).held_out), everything(detector.held_out)
    )


def test_a_table_too_wide_for_a_gaussian_is_scored_without_it():
    x = np.random.default_rng(0).normal(size=(60, WIDEST + 1)).astype(np.float32)
    detector = RobustFusion().fit(x)
    assert "root" not in detector.state().arrays
    restored = RobustFusion.restore(detector.state())
    np.testing.assert_array_equal(restored.score(x).item, detector.score(x).item)


@pytest.mark.parametrize("name", AWKWARD)
def test_awkward_data_give_finite_scores(name):
    x = AWKWARD[name].astype(np.float32)
    detector = RobustFusion().fit(x)
    for scores in (detector.held_out, detector.score(x), detector.score(np.full_like(x[:1], 3e38))):
        assert np.isfinite(everything(scores)).all()
        assert scores.local.shape == scores.expected.shape == (len(scores.item), x.shape[1])
