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
