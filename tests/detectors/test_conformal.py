import numpy as np
import pytest

from agentad.detectors.conformal import Calibration, conformal_threshold


def test_threshold_is_the_order_statistic_and_agrees_with_p_values():
    scores = np.arange(1.0, 100.0)  # 1..99
    calibration = Calibration(scores, 0.05, known_normal=True)
    assert calibration.threshold.value == 95.0  # k = ceil(100 * 0.95)
    new = np.array([94.5, 95.0, 95.5, 200.0, -3.0])
    p = calibration.p_values(new)
    assert p == pytest.approx([0.06, 0.06, 0.05, 0.01, 1.0])
    assert list(calibration.flags(new)) == [False, False, True, True, False]
    assert np.array_equal(calibration.flags(new), p <= 0.05)


def test_a_training_item_does_not_judge_itself():
    calibration = Calibration(np.array([1.0, 2.0, 3.0, 4.0]), 0.25, known_normal=True)
    assert calibration.p_values(np.array([4.0, 1.0]), included=True) == pytest.approx([0.25, 1.0])


@pytest.mark.parametrize("target", [0.01, 0.05, 0.2])
def test_false_alarm_rate_holds_on_average_and_lies_in_the_stated_interval(target):
    generator = np.random.default_rng(0)
    rates, covered = [], 0
    for _ in range(200):
        threshold = conformal_threshold(generator.normal(size=400), target)
        rates.append(np.mean(generator.normal(size=4000) > threshold.value))
        covered += threshold.far_low <= rates[-1] <= threshold.far_high
    assert np.mean(rates) <= target * 1.1
    assert covered >= 170


def test_too_few_normals_are_said():
    threshold = conformal_threshold(np.arange(20.0), 0.01)
    assert threshold.value == 19.0
    assert threshold.warning == (
        "20 normal items cannot support a false-alarm rate of 1.00%: the lowest they can show is 4.76%. The threshold "
        "is the highest normal score seen; give at least 99 normal items, or ask for a rate of 4.76% or more"
    )
    assert conformal_threshold(np.arange(99.0), 0.01).warning is None


def test_borderline_is_what_another_sample_of_normals_might_turn():
    rng = np.random.default_rng(0)
    samples = [Calibration(rng.exponential(size=300), 0.02, known_normal=True) for _ in range(200)]
    scores = np.linspace(0, 12, 200)
    turned = np.mean([c.flags(scores) for c in samples], axis=0)  # share of the samples that flag each score
    near = samples[0].borderline(scores)
    seen = np.mean([c.borderline(scores) for c in samples], axis=0)
    assert (seen[(turned > 0.2) & (turned < 0.8)] > 0.9).all()
    assert not near[scores < 2].any()
    assert not near[scores > 8].any()
    first, last = scores[near][[0, -1]]
    assert near[(scores >= first) & (scores <= last)].all()
    assert first < samples[0].threshold.value < last


def test_more_normals_make_less_borderline():
    rng = np.random.default_rng(0)
    scores = np.linspace(0, 12, 500)
    few, many = (Calibration(rng.exponential(size=n), 0.05, known_normal=True).borderline(scores) for n in (20, 2000))
    assert 0 < many.sum() < few.sum() / 2


@pytest.mark.parametrize("calibration", [np.ones(30), np.ones(2), np.r_[np.zeros(29), 1.0]])
@pytest.mark.parametrize("known_normal", [True, False])
def test_borderline_of_equal_scores_is_no_error(calibration, known_normal):
    found = Calibration(calibration, 0.05, known_normal=known_normal).borderline(np.array([0.0, 1.0, 1e9]))
    assert found.shape == (3,)
    assert not found[2]
