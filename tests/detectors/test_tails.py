import numpy as np

from agentad.detectors.tails import Tails

USUAL = np.array([[0.0, 10.0], [1.0, 10.0], [2.0, 10.0], [3.0, 20.0]])


def test_a_value_counts_by_how_many_reach_it():
    found = Tails.of(USUAL[::-1]).rarity(np.array([[1.0, 10.0], [-5.0, 0.0]]), included=np.array([False, False]))
    np.testing.assert_allclose(found, [[-np.log(4 / 5), 0.0], [0.0, 0.0]], atol=1e-12)


def test_a_normal_row_does_not_judge_itself():
    found = Tails.of(USUAL).rarity(USUAL[[0, 3]], included=np.array([True, True]))
    beyond = np.log1p((3 - 1.5) / (np.quantile([0, 1, 2, 3], 0.95) - 1.5) - 1)
    np.testing.assert_allclose(found[:, 0], [0.0, beyond - np.log(1 / 4)])


def test_beyond_everything_seen_it_goes_on_and_slowly():
    tails = Tails.of(np.linspace(0, 1, 1001)[:, None])
    near, far, further = tails.rarity(np.array([[2.0], [20.0], [200.0]]), included=np.zeros(3, dtype=bool))[:, 0]
    assert np.log(1002) < near < far < further < near + 6


def test_every_measure_counts_alike_whatever_its_scale():
    measures = np.random.default_rng(0).exponential(size=(500, 1))
    tails = Tails.of(np.concatenate([measures, 1e6 * measures + 3], axis=1))
    found = tails.rarity(np.array([[5.0, 5e6 + 3]]), included=np.array([False]))
    np.testing.assert_allclose(found[0, 0], found[0, 1])
