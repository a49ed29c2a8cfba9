"""What every detector made of a model of scaled rows has to do."""

import numpy as np
import pytest
from row_data import AWKWARD
from sklearn.metrics import roc_auc_score

from agentad.detectors.cross_fitted import FOLDS, CrossFitted
from agentad.detectors.gaussian_mixture import GaussianMixture
from agentad.detectors.isolation_forest import IsolationForest
from agentad.detectors.local_outlier_factor import LocalOutlierFactor
from agentad.errors import InputError

MADE = {
    "gaussian-mixture": GaussianMixture,
    "isolation-forest": IsolationForest,
    "local-outlier-factor": LocalOutlierFactor,
}
each = pytest.mark.parametrize("kind", MADE.values(), ids=list(MADE))


class Seen:
    """Knows which rows it was learned from: these score 0, all others 1."""

    def __init__(self, z):
        self.z = z

    def judge(self, z):
        return 1.0 - (z[:, None] == self.z[None]).all(axis=2).any(axis=1)

    def arrays(self):
        return {"rows": self.z}


class Counting(CrossFitted):
    def __init__(self):
        self.learned = []

    def settings(self):
        return {}

    def _learn(self, z, seed):
        self.learned.append(len(z))
        return Seen(z)

    def _restored(self, arrays):
        return Seen(arrays["rows"])


def cloud(n, seed):
    """Normal rows of three columns, the last two alike."""
    x = np.random.default_rng(seed).normal(size=(n, 3)).astype(np.float32)
    x[:, 2] = x[:, 1] + 0.1 * x[:, 2]
    return x


def far(n, seed):
    """Rows of which each column is usual for itself, and the last two are unlike each other."""
    x = cloud(n, seed)
    x[:, 1:] = np.where(x[:, 1:2] > 0, 1, -1) * [2.5, -2.5]
    return x


def test_a_training_row_is_judged_by_a_model_that_saw_neither_it_nor_its_group():
    x = cloud(40, 0)
    x[::2] = x[1::2]  # twins
    detector = Counting().fit(x, groups=np.repeat(np.arange(20), 2))
    assert detector.held_out.item.tolist() == [1.0] * 40
    assert detector.learned == [32] * FOLDS + [40]
    assert detector.score(x).item.tolist() == [0.0] * 40
    assert (Counting().fit(x, seed=1).held_out.item == 0).any()  # without groups a twin gives a row away


def test_few_groups_make_few_folds():
    detector = Counting().fit(cloud(10, 0), groups=np.repeat([4, 7], [6, 4]))
    assert sorted(detector.learned) == [4, 6, 10]


def test_too_little_is_left_to_learn_from():
    with pytest.raises(InputError) as caught:
        Counting().fit(cloud(10, 0), groups=np.repeat([4, 7], [9, 1]))
    assert str(caught.value) == (
        "1 row(s) are left to learn from where others are held out, at least 2 are needed; "
        "give more rows, of more groups"
    )


@each
def test_odd_rows_score_higher_than_new_normal_ones(kind):
    scores = kind().fit(cloud(500, 0)).score(np.concatenate([cloud(200, 1), far(200, 2)]))
    assert roc_auc_score(np.repeat([0, 1], 200), scores.item) > 0.95
    assert (scores.local, scores.expected) == (None, None)


@each
def test_held_out_scores_are_like_those_of_new_rows(kind):
    detector = kind().fit(cloud(500, 0))
    new = detector.score(cloud(2000, 1)).item
    for share in (0.5, 0.1):
        assert np.mean(new > np.quantile(detector.held_out.item, 1 - share)) == pytest.approx(share, abs=0.05)


@each
def test_restores_exactly(kind):
    detector = kind().fit(cloud(100, 0), seed=3)
    state, x = detector.state(), cloud(50, 1)
    again = kind.restore(state)
    np.testing.assert_array_equal(again.score(x).item, detector.score(x).item)
    assert again.state().settings == state.settings
    assert all(np.array_equal(again.state().arrays[name], array) for name, array in state.arrays.items())


@each
def test_the_seed_decides_everything(kind):
    x = cloud(100, 0)
    first, again, other = (kind().fit(x, seed=seed).held_out.item for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@each
def test_a_row_scores_the_same_in_any_company_and_unit(kind):
    x, new = cloud(100, 0), cloud(40, 1)
    units = np.array([1, 1024, 1 / 1024], dtype=np.float32)
    whole = kind().fit(x).score(new).item
    np.testing.assert_allclose(kind().fit(x).score(new[7:8]).item, whole[7:8], rtol=1e-6)
    np.testing.assert_allclose(kind().fit(x * units).score(new * units).item, whole, rtol=1e-4)


@each
@pytest.mark.parametrize("name", [name for name in AWKWARD if name != "two rows"])
def test_awkward_data_give_finite_scores(kind, name):
    x = AWKWARD[name].astype(np.float32)
    detector = kind().fit(x)
    for scores in (detector.held_out, detector.score(x), detector.score(np.full_like(x[:1], 3e38))):
        assert np.isfinite(scores.item).all()
    assert detector.score(x[:0]).item.shape == (0,)


@each
def test_one_source_cannot_be_judged(kind):
    with pytest.raises(InputError, match=r"^cross-fitting needs items of at least 2 groups"):
        kind().fit(cloud(5, 0), groups=np.zeros(5, dtype=int))
