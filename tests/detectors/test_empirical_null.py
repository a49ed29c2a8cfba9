import numpy as np
import pytest

from agentad.detectors.conformal import Calibration
from agentad.detectors.empirical_null import fit_empirical_null

DRAWS = {
    "gaussian": lambda rng, n: rng.normal(size=n),
    "lognormal": lambda rng, n: rng.lognormal(0, 0.5, n),
    "chi": lambda rng, n: np.sqrt(rng.chisquare(5, n)),
    "exponential": lambda rng, n: rng.exponential(size=n),
}


@pytest.mark.parametrize("share", [0.0, 0.05, 0.08])
@pytest.mark.parametrize("name", DRAWS)
def test_flags_few_normals_whatever_the_contamination(name, share):
    rng = np.random.default_rng(1)
    n, anomalies = 3000, int(3000 * share)
    normal = DRAWS[name](rng, n - anomalies)
    planted = 12 + DRAWS[name](rng, anomalies)
    calibration = Calibration(np.concatenate([normal, planted]), 0.01, known_normal=False)
    assert np.mean(calibration.flags(DRAWS[name](rng, 50_000))) < 0.035
    assert calibration.flags(planted).all()
    assert calibration.threshold.far_low == 0.0
    assert calibration.threshold.far_high == pytest.approx(0.14)
    assert calibration.threshold.method == "empirical-null"
    assert "at least 90 % of the items are normal" in (calibration.threshold.warning or "")


def test_p_values_fall_with_the_score_and_agree_with_the_flags():
    scores = np.random.default_rng(0).lognormal(0, 0.5, 500)
    calibration = Calibration(scores, 0.02, known_normal=False)
    grid = np.linspace(0.1, 20, 50)
    p = calibration.p_values(grid)
    assert np.all(np.diff(p) <= 0)
    assert np.array_equal(calibration.flags(grid), p < 0.02)


def test_equal_scores_flag_nothing_but_what_is_above_them():
    null = fit_empirical_null(np.ones(100))
    assert null.quantile_above(0.01) == 1.0
    assert null.rate_above(np.array([1.0, 1.1])) == pytest.approx([1.0, 0.0])
