import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from agentad.detectors.empirical_denoiser import EmpiricalDenoiser
from agentad.detectors.self_cleaning import SelfCleaning
from agentad.errors import InputError


def contaminated(n, share, seed):
    """Normals on a Gaussian; anomalies scattered on a shell around it, each of them twice, so that copies vouch."""
    generator = np.random.default_rng(seed)
    y = np.arange(n) < share * n
    x = generator.standard_normal((n, 4))
    x[y] *= 9 / np.linalg.norm(x[y], axis=1, keepdims=True)
    x[y] = x[y][np.arange(y.sum()) // 2]
    return x.astype(np.float32), y


def everything(scores):
    return np.concatenate([scores.item.ravel(), scores.local.ravel(), scores.expected.ravel()])


@pytest.mark.parametrize(("share", "width"), [(0.02, 0.1), (0.1, 1.0)])
def test_a_crowd_of_anomalies_is_found(share, width):
    x, y = contaminated(800, share, 0)
    x[y] = 3.5 + width * np.random.default_rng(1).standard_normal((int(y.sum()), 4))
    assert roc_auc_score(y, SelfCleaning().fit(x).held_out.item) > 0.99


def test_contamination_hurts_it_less_than_the_plain_denoiser():
    x, y = contaminated(800, 0.2, 1)
    cleaned = average_precision_score(y, SelfCleaning().fit(x).held_out.item)
    plain = average_precision_score(y, EmpiricalDenoiser().fit(x).held_out.item)
    assert cleaned > 0.95
    assert plain < 0.6


def test_new_rows_are_judged_by_what_was_kept():
    x, _ = contaminated(800, 0.2, 2)
    new, y = contaminated(300, 0.3, 3)
    assert roc_auc_score(y, SelfCleaning().fit(x).score(new).item) > 0.99


def test_what_is_kept_is_normal():
    x, y = contaminated(500, 0.2, 4)
    kept = SelfCleaning().fit(x).state().arrays["kept"]
    assert kept.shape == (2, 350)
    assert not y[kept].any()


def test_the_planted_column_is_named_and_the_expected_value_is_normal():
    x, _ = contaminated(600, 0.05, 5)
    odd = np.zeros((1, 4), dtype=np.float32)
    odd[0, 1] = 8
    scores = SelfCleaning().fit(x).score(odd)
    assert scores.local[0].argmax() == 1
    assert abs(scores.expected[0, 1]) < 4


def test_contributions_sum_to_the_score():
    x, _ = contaminated(300, 0.1, 6)
    held_out = SelfCleaning().fit(x).held_out
    assert (held_out.local >= 0).all()
    np.testing.assert_allclose(held_out.local.sum(axis=1), held_out.item, rtol=1e-4)


def test_own_row_and_group_are_left_out():
    x, _ = contaminated(200, 0, 7)
    x[:9] = [1.5, -1.5, 1.5, -1.5]
    groups = np.arange(200)
    groups[:9] = 0
    alone, together = SelfCleaning().fit(x), SelfCleaning().fit(x, groups=groups)
    assert (alone.score(x).item <= alone.held_out.item + 1e-6).all()
    assert (together.held_out.item[:9] > 1.2 * alone.held_out.item[:9]).all()


def test_references_are_bounded_and_every_row_is_scored():
    x, y = contaminated(900, 0.1, 8)
    detector = SelfCleaning(references=200).fit(x)
    assert detector.state().arrays["rows"].shape == (200, 4)
    assert roc_auc_score(y, detector.held_out.item) > 0.98


def test_restored_detector_scores_the_same():
    x, _ = contaminated(300, 0.1, 9)
    detector = SelfCleaning(keep=0.8).fit(x)
    restored = SelfCleaning.restore(detector.state())
    assert restored.keep == 0.8
    np.testing.assert_array_equal(everything(restored.score(x)), everything(detector.score(x)))


def test_same_seed_same_scores_and_a_seed_matters():
    x, _ = contaminated(300, 0.1, 10)
    first, again, other = (SelfCleaning(references=150).fit(x, seed=s).held_out for s in (3, 3, 4))
    np.testing.assert_array_equal(everything(first), everything(again))
    assert (first.item != other.item).any()


@pytest.mark.parametrize(
    ("name", "x"),
    [
        ("one column", np.arange(20.0).reshape(-1, 1)),
        ("two rows", np.array([[0.0, 1.0], [2.0, 3.0]])),
        ("two copies", np.ones((2, 2))),
        ("only copies", np.full((200, 3), 7.0)),
        ("mostly copies", np.concatenate([np.zeros((90, 2)), np.eye(2).repeat(5, axis=0)])),
        ("a constant column", np.stack([np.arange(30.0), np.full(30, 1e9)], axis=1)),
        ("huge", np.linspace(-1e30, 1e30, 40).reshape(-1, 2)),
        ("one huge row", np.concatenate([np.random.default_rng(0).normal(size=(40, 2)), [[1e30, -3e38]]])),
        ("tiny", np.linspace(0, 1e-30, 40).reshape(-1, 2)),
        ("wide", np.random.default_rng(0).normal(size=(12, 900))),
    ],
)
def test_awkward_data_give_finite_scores(name, x):
    x = x.astype(np.float32)
    detector = SelfCleaning().fit(x)
    for scores in (detector.held_out, detector.score(x), detector.score(np.full_like(x[:1], 3e38))):
        assert np.isfinite(everything(scores)).all(), name
        assert scores.local.shape == scores.expected.shape == (len(scores.item), x.shape[1])


def test_one_source_cannot_be_judged():
    message = "^5 rows, nearly all of one source, cannot judge each other; give more sources$"
    with pytest.raises(InputError, match=message):
        SelfCleaning().fit(np.random.default_rng(0).normal(size=(5, 2)), groups=np.zeros(5))
