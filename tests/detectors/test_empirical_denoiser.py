import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from agentad.detectors.empirical_denoiser import EmpiricalDenoiser
from agentad.errors import InputError


def curve(n, seed):
    """Points on the parabola y = x², with a third column that is noise."""
    generator = np.random.default_rng(seed)
    t = generator.uniform(-2, 2, n)
    return np.stack([t, t**2, generator.standard_normal(n)], axis=1).astype(np.float32)


def everything(scores):
    return np.concatenate([scores.item.ravel(), scores.local.ravel(), scores.expected.ravel()])


@pytest.fixture(scope="module")
def detector():
    return EmpiricalDenoiser().fit(curve(600, 0))


def test_points_off_the_curve_score_higher(detector):
    normal, odd = curve(200, 1), curve(200, 2)
    odd[:, 1] += np.where(np.arange(200) % 2, 1.0, -1.0)
    scores = detector.score(np.concatenate([normal, odd])).item
    assert roc_auc_score(np.repeat([0, 1], 200), scores) > 0.97


def test_denoising_beats_the_distance_to_the_mean(detector):
    """A gap in the middle of the data is anomalous although nothing is nearer to the mean."""
    inside = np.array([[0, 1.3, 0]], dtype=np.float32)
    assert detector.score(inside).item[0] > np.quantile(detector.held_out.item, 0.99)


def test_the_planted_column_is_named_and_put_back():
    generator = np.random.default_rng(3)
    factor = generator.standard_normal((2000, 1))
    x = (factor * [1, -2, 5, 100] + 0.05 * generator.standard_normal((2000, 4)) * [1, 2, 5, 100]).astype(np.float32)
    odd = x[:50].copy()
    truth = odd[:, 2].copy()
    odd[:, 2] += 5
    scores = EmpiricalDenoiser().fit(x[50:]).score(odd)
    assert (scores.local.argmax(axis=1) == 2).mean() > 0.9
    assert np.median(np.abs(scores.expected[:, 2] - truth)) < 2.5  # half of what was added: most of it is undone
    typical = EmpiricalDenoiser().fit(x[50:]).score(x[:50])
    np.testing.assert_allclose(np.median(np.abs(typical.expected - x[:50]), axis=0) / x.std(axis=0), 0, atol=0.1)


def test_contributions_sum_to_the_score_up_to_a_constant(detector):
    scores = detector.score(curve(50, 4) * 1.5)
    difference = scores.local.sum(axis=1) - scores.item
    assert (scores.local >= 0).all()
    np.testing.assert_allclose(difference, difference[0], rtol=1e-4)


def test_held_out_scores_are_like_those_of_new_rows(detector):
    new = detector.score(curve(600, 5)).item
    for q in (0.5, 0.9):
        assert np.mean(new > np.quantile(detector.held_out.item, q)) == pytest.approx(1 - q, abs=0.06)


def test_held_out_leaves_out_the_row_itself():
    x = curve(300, 6)
    x[7] = [10, -10, 10]
    detector = EmpiricalDenoiser().fit(x)
    assert detector.held_out.item.argmax() == 7
    assert detector.score(x[7:8]).item[0] < np.quantile(detector.held_out.item, 0.9)  # now its copy vouches for it


def test_held_out_leaves_out_the_group():
    x = curve(300, 7)
    x[10:14] = [10, -10, 10]
    alone = EmpiricalDenoiser().fit(x)
    together = np.arange(300)
    together[10:14] = 10
    grouped = EmpiricalDenoiser().fit(x, groups=together)
    assert (alone.held_out.item[10:14] < alone.held_out.item.max()).all()
    assert set(np.argsort(grouped.held_out.item)[-4:]) == {10, 11, 12, 13}


def test_references_are_bounded_and_the_rest_is_held_out_too():
    x = curve(500, 8)
    detector = EmpiricalDenoiser(references=100).fit(x, seed=1)
    assert detector.state().arrays["rows"].shape == (100, 3)
    assert detector.held_out.item.shape == (500,)
    others = ~np.isin(x[:, 0], detector.state().arrays["rows"][:, 0])
    np.testing.assert_allclose(detector.held_out.item[others], detector.score(x[others]).item, rtol=1e-5, atol=1e-5)


def test_restored_detector_scores_the_same(detector):
    x = curve(40, 9)
    restored = EmpiricalDenoiser.restore(detector.state())
    np.testing.assert_array_equal(everything(restored.score(x)), everything(detector.score(x)))


def test_same_seed_same_scores_and_a_seed_matters():
    x = curve(300, 10)
    first, again, other = (EmpiricalDenoiser(references=50).fit(x, seed=s).held_out for s in (3, 3, 4))
    np.testing.assert_array_equal(everything(first), everything(again))
    assert (first.item != other.item).any()


def test_scores_do_not_depend_on_units():
    x, new = curve(300, 11), curve(30, 12)
    units = np.array([1, 1000, 0.001], dtype=np.float32)
    plain = EmpiricalDenoiser().fit(x).score(new).item
    np.testing.assert_allclose(EmpiricalDenoiser().fit(x * units).score(new * units).item, plain, rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize(
    ("name", "x"),
    [
        ("one column", np.arange(20.0).reshape(-1, 1)),
        ("two rows", np.array([[0.0, 1.0], [2.0, 3.0]])),
        ("two copies", np.ones((2, 2))),
        ("only copies", np.full((50, 3), 7.0)),
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
    detector = EmpiricalDenoiser().fit(x)
    for scores in (detector.held_out, detector.score(x), detector.score(np.full_like(x[:1], 3e38))):
        assert np.isfinite(everything(scores)).all(), name
        assert scores.local.shape == scores.expected.shape == (len(scores.item), x.shape[1])


def test_a_value_never_seen_in_a_constant_column_stands_out():
    x = curve(200, 13)
    x[:, 2] = 5
    odd = x[:1].copy()
    odd[0, 2] = 6
    scores = EmpiricalDenoiser().fit(x).score(odd)
    assert scores.local[0].argmax() == 2
    assert scores.expected[0, 2] == pytest.approx(5)


def test_one_row_cannot_be_judged():
    message = "^1 rows of one source cannot judge each other; give rows of at least two sources$"
    with pytest.raises(InputError, match=message):
        EmpiricalDenoiser().fit(np.zeros((1, 2), dtype=np.float32))
