import numpy as np
import pytest
from sklearn.ensemble import ExtraTreesClassifier

from agentad.detectors.forest import Forest, second_class_share


@pytest.mark.parametrize("bootstrap", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_shares_are_scikit_learns_to_the_last_bit(bootstrap, weighted):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(500, 7)).astype(np.float32)
    y = (x[:, 0] * x[:, 1] + 0.3 * rng.normal(size=500) > 0.5).astype(int)
    weight = rng.uniform(0.1, 30, 500) if weighted else None
    fitted = ExtraTreesClassifier(37, random_state=1, bootstrap=bootstrap).fit(x, y, sample_weight=weight)
    new = np.concatenate([x, rng.normal(size=(3000, 7)).astype(np.float32) * 3, np.round(x)])
    share = Forest.of(fitted.estimators_, second_class_share).mean(new)
    assert np.array_equal(share, fitted.predict_proba(new)[:, 1])
    assert share.std() > 0.1


def test_values_on_a_threshold_go_left():
    x = np.array([[0.0], [1.0], [2.0], [3.0]], np.float32)
    fitted = ExtraTreesClassifier(5, random_state=0).fit(x, [0, 0, 1, 1])
    forest = Forest.of(fitted.estimators_, second_class_share)
    at = forest.threshold[forest.root].astype(np.float32)[:, None]
    assert np.array_equal(forest.mean(at), fitted.predict_proba(at)[:, 1])


def test_trees_that_saw_one_leaf_only():
    x = np.zeros((4, 2), np.float32)
    fitted = ExtraTreesClassifier(3, random_state=0).fit(x, [0, 1, 1, 1])
    assert Forest.of(fitted.estimators_, second_class_share).mean(x).tolist() == pytest.approx([0.75] * 4)


def test_no_rows_no_shares():
    fitted = ExtraTreesClassifier(3, random_state=0).fit(np.eye(2), [0, 1])
    assert Forest.of(fitted.estimators_, second_class_share).mean(np.zeros((0, 2))).shape == (0,)
