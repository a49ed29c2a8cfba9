import numpy as np
import pytest

from agentad.detectors.rarity import STEPS, Rarity, disagreement


def test_rarity_is_the_logarithm_of_the_share_that_is_reached() -> None:
    held_out = np.random.default_rng(0).permutation(10_000).reshape(100, 10, 10)
    rarity = Rarity.of(held_out)
    assert rarity.levels.shape == (STEPS,)
    rated = rarity.rate(np.array([-5, 0, 9_000, 9_900, 9_990, 50_000]))
    assert rated == pytest.approx([0, 0, 0.25, 0.5, 0.75, 1], abs=0.02)


def test_rarity_does_not_depend_on_units() -> None:
    normal = np.random.default_rng(0).gamma(2, size=5000)
    scores = np.linspace(0, 9, 20)
    other = Rarity.of(1e6 * normal - 3).rate(1e6 * scores - 3)
    assert np.allclose(Rarity.of(normal).rate(scores), other, atol=1e-5)


def test_parts_disagree_where_one_sees_what_the_other_does_not() -> None:
    rng = np.random.default_rng(0)
    held_out = [rng.gamma(2, size=(50, 6, 6)), 40 * rng.gamma(2, size=(50, 6, 6))]
    far, near = np.full((1, 6, 6), 1.0), np.full((1, 6, 6), 40.0)
    far[0, 0, 0], near[0, 0, 0] = 30, 40 * 99  # both see it, one much more
    far[0, 5, 5] = 30  # one only
    doubt = disagreement([Rarity.of(part) for part in held_out], [far, near])
    assert doubt.shape == (1, 6, 6)
    assert doubt[0, 0, 0] == 0
    assert doubt[0, 5, 5] > 0.9
    assert np.delete(doubt.ravel(), [0, 35]).max() < 0.05


def test_few_and_equal_scores_are_no_error() -> None:
    assert Rarity.of(np.ones(1)).rate(np.array([0.0, 2.0])).tolist() == [0, 1]
