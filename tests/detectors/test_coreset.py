import numpy as np

from agentad.detectors import coreset
from agentad.detectors.coreset import k_centres


def test_the_farthest_comes_next():
    rows = np.array([[0.0, 0.0], [1.0, 0.0], [10.0, 0.0], [10.5, 0.0], [0.0, 30.0]])
    for seed in range(5):
        picked = k_centres(rows, 3, np.random.default_rng(seed))
        assert 4 in picked
        assert {0, 1} & set(picked)
        assert {2, 3} & set(picked)


def test_covers_the_rare_as_well_as_the_many():
    rng = np.random.default_rng(0)
    rows = np.concatenate([rng.normal(size=(5000, 40)), rng.normal(size=(10, 40)) + 20]).astype(np.float32)
    picked = k_centres(rows, 50, rng)
    assert len(set(picked)) == 50
    assert np.array_equal(picked, np.sort(picked))
    assert (picked >= 5000).any()
    nearest = np.linalg.norm(rows[:, None] - rows[picked][None], axis=2).min(axis=1).max()
    random = rows[rng.choice(5010, 50, replace=False)]
    assert nearest < 0.9 * np.linalg.norm(rows[:, None] - random[None], axis=2).min(axis=1).max()


def test_all_rows_where_more_are_wanted_and_never_one_twice():
    assert k_centres(np.zeros((4, 3)), 9, np.random.default_rng(0)).tolist() == [0, 1, 2, 3]
    copies = k_centres(np.zeros((30, 3)), 20, np.random.default_rng(0))
    assert len(set(copies)) == 20


def test_only_so_many_rows_are_looked_through(monkeypatch):
    monkeypatch.setattr(coreset, "CANDIDATES", 100)
    rows = np.random.default_rng(0).normal(size=(1000, 5))
    looked = []
    monkeypatch.setattr(coreset, "_projected", lambda x, rng: looked.append(len(x)) or x.astype(np.float32))
    assert len(k_centres(rows, 10, np.random.default_rng(0))) == 10
    assert len(k_centres(rows, 200, np.random.default_rng(0))) == 200
    assert looked == [100]
