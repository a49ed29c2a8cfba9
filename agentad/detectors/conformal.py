"""Thresholds and p-values from held-out scores. No contamination is ever assumed.

Notation: n calibration scores s_1..s_n of normal items, target false-alarm rate α, new score s.

- p-value (Vovk et al. 2005; for anomaly detection Bates et al. 2023, https://arxiv.org/abs/2104.08279, eq. 2):
  p(s) = (1 + #{i: s_i >= s}) / (n + 1), which is at most α with probability at most α for a normal item.
- threshold: the k-th smallest s_i, k = ceil((n + 1)(1 - α)); given the calibration sample, the rate of normal scores
  above it follows Beta(n + 1 - k, k), which is the interval we state.

Calibration scores come from leave-one-out or cross-fitting (`Detector.held_out`), while new items are scored by a fit
to all training items. The guarantee is then approximate, as with the jackknife, and errs towards too few false
alarms. Where nothing is known to be normal, `empirical_null` takes the place of the ranks.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from agentad.detectors.base import Floats
from agentad.detectors.empirical_null import EmpiricalNull, fit_empirical_null
from agentad.flow import Threshold

NULL_ERROR = 0.13
"""How far the true false-alarm rate of an empirical-null threshold can lie above its target. A fit to the bulk cannot
know the tail, so this is measured: on 58 samples of 29 real tables (ADBench, self-cleaning, with their anomalies and
without), for targets from 0.1 % to 10 %, the rate lay between 0 and this much above the target in 97.5 % of them; the
median was 2 points above."""

TAIL = 0.1
"""Share of the calibration scores that say how fast the rest of the tail falls."""


class Calibration:
    """Held-out scores, the threshold drawn from them, and p-values.

    Args:
        scores: (n,) held-out scores of the training items, higher = more anomalous.
        target_far: wanted false-alarm rate.
        known_normal: whether the training items are known to be normal.
    """

    def __init__(self, scores: Floats, target_far: float, *, known_normal: bool) -> None:
        self.scores = np.sort(np.asarray(scores, dtype=np.float64))
        self._null = None if known_normal else fit_empirical_null(self.scores)
        self.threshold = (
            conformal_threshold(self.scores, target_far)
            if self._null is None
            else _empirical_null_threshold(self._null, self.scores, target_far)
        )

    def p_values(self, scores: Floats, *, included: bool = False) -> NDArray[np.float64]:
        """Chance that a normal item scores at least as high as each of `scores` (m,).

        Args:
            scores: higher = more anomalous.
            included: these are calibration items themselves, which do not judge themselves.
        """
        s = np.asarray(scores, dtype=np.float64)
        n = len(self.scores)
        if self._null is not None:
            # no finite sample shows a chance of exactly nothing
            return np.asarray(np.maximum(self._null.rate_above(s), 1e-12))
        if not included:
            return conformal_p_values(self.scores, s)
        return np.asarray((n - np.searchsorted(self.scores, s, side="left")) / n)

    def borderline(self, scores: Floats) -> NDArray[np.bool_]:
        """Which of `scores` (m,) are so near the threshold that another calibration sample might turn their flag.

        The threshold is meant for the rate α and may in truth have a rate f = `far_high` / α times that. So a score is
        borderline when normal items reach it at a rate between α / f and α f. Above the threshold, where ranks say
        nothing, the rate falls as e^(−(s − threshold) / m), with m the mean excess of the highest `TAIL` scores over
        the lowest of them.
        """
        t, s = self.threshold, np.asarray(scores, dtype=np.float64)
        rate = self.p_values(s)
        if self._null is None:
            tail = self.scores[-max(math.ceil(TAIL * len(self.scores)), 5) :]
            m = float((tail - tail[0]).mean())
            with np.errstate(over="ignore", divide="ignore", invalid="ignore"):  # m is 0 where all scores are equal
                beyond = np.exp(-(s - t.value) / m) * self.p_values(np.array([t.value]))
            rate = np.where(s > t.value, beyond, rate)
        f = t.far_high / t.target_far
        return np.asarray((rate >= t.target_far / f) & (rate <= t.target_far * f))

    def flags(self, scores: Floats) -> NDArray[np.bool_]:
        """Which of `scores` (m,) lie above the threshold."""
        return np.asarray(np.asarray(scores, dtype=np.float64) > self.threshold.value)


def conformal_p_values(calibration: NDArray[np.floating[Any]], scores: Floats) -> NDArray[np.float64]:
    """p(s) of `scores` (m,), none of which is in `calibration` (n,), sorted ascending."""
    n = len(calibration)
    at_least = n - np.searchsorted(calibration, scores, side="left")
    return np.asarray((1 + at_least) / (n + 1))


def conformal_threshold(calibration: Floats, target_far: float) -> Threshold:
    """The threshold that flags at most `target_far` of normal items, from scores (n,) of held-out normals."""
    s = np.sort(np.asarray(calibration, dtype=np.float64))
    n = len(s)
    k = min(math.ceil((n + 1) * (1 - target_far) - 1e-9), n)
    low, high = (float(q) for q in stats.beta.ppf((0.025, 0.975), n + 1 - k, k))
    return Threshold(
        value=float(s[k - 1]),
        target_far=target_far,
        method="conformal",
        n_calibration=n,
        far_low=low,
        far_high=high,
        warning=_too_few(n, target_far),
    )


def _too_few(n: int, target_far: float) -> str | None:
    needed = math.ceil(1 / target_far - 1e-9) - 1
    if n >= needed:
        return None
    return (
        f"{n} normal items cannot support a false-alarm rate of {target_far:.2%}: the lowest they can show is "
        f"{1 / (n + 1):.2%}. The threshold is the highest normal score seen; give at least {needed} normal items, "
        f"or ask for a rate of {1 / (n + 1):.2%} or more"
    )


def _empirical_null_threshold(null: EmpiricalNull, scores: Floats, target_far: float) -> Threshold:
    n = len(scores)
    few = f"; {n} items are few for a rate of {target_far:.2%}" if n * target_far < 1 else ""
    return Threshold(
        value=null.quantile_above(target_far),
        target_far=target_far,
        method="empirical-null",
        n_calibration=n,
        far_low=0.0,
        far_high=min(target_far + NULL_ERROR, 1.0),
        warning="no item is known to be normal: the false-alarm rate is estimated from the bulk of the scores, assumes "
        f"that at least 90 % of the items are normal, and may be off by {100 * NULL_ERROR:.0f} %{few}",
    )
