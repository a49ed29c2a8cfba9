"""Nobody judges what it has seen."""

import numpy as np
import pytest

from agentad.detectors.base import Scores
from agentad.detectors.judged import Judged
from agentad.loop.trial import folds_of, others, tried, unadapted
from agentad.loop.workshop import Real, source_normals


class Memory:
    """A head that gives 1 to what it has learned from and 0 to anything else."""

    def fit(self, normal, real, invented=None, *, seed=0):
        parts = [normal.x, real.x] + ([] if invented is None else [invented.x])
        self.seen = {float(value) for part in parts for value in part[:, 0]}
        return self

    def score(self, items):
        return Scores(np.array([float(value) in self.seen for value in items.x[:, 0]], float))


def _real(anomalies=11, groups=None, kinds=None):
    normal = Judged(np.arange(40.0)[:, None], Scores(np.full(40, -1.0)), group=np.repeat(np.arange(20), 2))
    group = np.arange(anomalies) if groups is None else np.array(groups)
    known = Judged(1000 + np.arange(float(anomalies))[:, None], Scores(np.full(anomalies, -1.0)), group=group)
    kinds = np.array(["a"] * anomalies if kinds is None else kinds, object)
    source = source_normals(normal.group, seed=0)
    return Real(normal, known, np.arange(40), np.arange(40, 40 + anomalies), kinds, source)


def _tried(real, folds, invented=lambda k: None):
    return tried(real, folds, Memory, invented, seed=0, progress=lambda done, total: None)


def test_every_item_is_judged_by_a_head_that_has_not_seen_it():
    real = _real()
    folds = folds_of(real, 3, seed=0)
    found = _tried(real, folds)
    assert found.scores.item.tolist() == [0.0] * (20 + 11)
    assert found.labels.tolist() == [0] * 20 + [1] * 11
    assert not real.source[found.normal].any()
    assert set(found.fold[20:].tolist()) == {0, 1, 2} and set(found.fold[:20].tolist()) == {-1}


def test_a_head_knows_what_was_invented_without_its_fold():
    real = _real()
    folds = folds_of(real, 3, seed=0)
    asked = []

    def invented(k):
        asked.append(k)
        return real.known.take(folds[k])  # a generator that cheats

    assert _tried(real, folds, invented).scores.item[20:].tolist() == [1.0] * 11
    assert asked == [0, 1, 2]


def test_folds_keep_groups_together_and_types_apart():
    real = _real(12, groups=[0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5], kinds=["a", "a"] * 3 + ["b", "b"] * 3)
    folds = folds_of(real, 3, seed=4)
    assert sorted(np.concatenate(folds).tolist()) == list(range(12))
    for fold in folds:
        assert sorted(real.kinds[fold].tolist()) == ["a", "a", "b", "b"]
        assert not set(real.known.group[fold]) & set(real.known.group[others(real, fold)])


def test_one_anomaly_teaches_nobody_who_judges_it():
    real = _real(1)
    folds = folds_of(real, 5, seed=0)
    assert [fold.tolist() for fold in folds] == [[0]]
    assert _tried(real, folds).scores.item.tolist() == unadapted(real, folds).scores.item.tolist()


def test_without_anomalies_a_head_is_taught_by_what_was_invented():
    real = _real(0)
    folds = folds_of(real, 5, seed=0)
    made = Judged(np.array([[5000.0]]), Scores(np.zeros(1)))
    found = _tried(real, folds, lambda k: made)
    assert found.scores.item.tolist() == [0.0] * 20


@pytest.mark.parametrize("seed", [0, 1])
def test_half_of_the_normals_is_invented_from_whole_groups_of_them(seed):
    source = source_normals(np.repeat(np.arange(20), 2), seed=seed)
    assert source.sum() == 20 and (source[::2] == source[1::2]).all()
