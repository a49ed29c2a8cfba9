"""The gate: a candidate takes the detector's place only where real data shows that it is better.

The test is that of `metrics.paired`. Several rounds of one run are several tries; each is decided at its part of the
level (`level_of`), so that the chance of adopting any useless candidate in the whole run stays at the level.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from agentad.errors import AgentadError
from agentad.flow import Decision
from agentad.metrics.paired import PIXEL, RANKING, Difference, compare
from agentad.metrics.pixels import Tally
from agentad.metrics.segmentation import PRO_LIMIT, Floats

Labels = NDArray[np.integer[Any]]
Thresholds = tuple[float, float]
"""Of the detector in place and of the candidate, each on its own scale; higher scores are flagged."""

LEVEL = 0.05


def level_of(level: float = LEVEL, *, rounds: int | None = 1, number: int = 1) -> float:
    """The level of one decision, such that those of all rounds of a run together stay at `level`.

    Args:
        level: of the run, above 0 and below 1.
        rounds: how many rounds the run may have, which share the level evenly (Bonferroni); None where nobody knows:
            the rounds then get a half, a quarter, an eighth, … of it.
        number: of this round, from 1.

    Raises:
        AgentadError: a value out of range.
    """
    if not 0 < level < 1 or number < 1 or (rounds is not None and number > rounds):
        raise AgentadError(
            f"gate: level {level:g}, round {number} of {rounds}: give 0 < level < 1, 1 <= round <= rounds"
        )
    return level * 0.5**number if rounds is None else level / rounds


def least_groups(level: float) -> int:
    """Independent real anomalies that it takes at least for a decision at `level`: 5 at .05, 6 at .05 / 3."""
    return math.ceil(-math.log2(level) - 1e-9)


@dataclass(frozen=True)
class FalseAlarms:
    """Normal items flagged by either detector."""

    before: float
    """Share of the items."""
    after: float
    p_value: float
    """One-sided: of as many groups getting worse among those that change, if they were as likely to get better."""
    said: str


def false_alarms(before: Floats, after: Floats, groups: Labels, thresholds: Thresholds) -> FalseAlarms:
    """Compare the normal items (n,) that either detector flags: a sign test over groups, McNemar's of single items."""
    flagged = before > thresholds[0], after > thresholds[1]
    change = np.bincount(np.unique(groups, return_inverse=True)[1], flagged[1].astype(float) - flagged[0])
    worse, changed = int((change > 0).sum()), int((change != 0).sum())
    p_value = float(stats.binom.sf(worse - 1, changed, 0.5))
    first, second = (int(one.sum()) for one in flagged)
    return FalseAlarms(
        float(flagged[0].mean()),
        float(flagged[1].mean()),
        p_value,
        f"{first} were flagged before and {second} by the candidate (p {p_value:.2g} of more)",
    )


def decide(
    before: Floats,
    after: Floats,
    labels: Labels,
    groups: Labels,
    *,
    metric: str,
    seed: int,
    level: float = LEVEL,
    rounds: int | None = 1,
    number: int = 1,
    folds: Labels | None = None,
    kinds: Sequence[str] | None = None,
    pixels: tuple[Tally, Tally] | None = None,
    limit: float = PRO_LIMIT,
    thresholds: Thresholds | None = None,
) -> Decision:
    """Whether a candidate is adopted that scored the same n real items, none of which it learned from.

    It is if the metric is demonstrably better (`metrics.paired`: the p-value is at most this round's level and the
    bootstrap's interval lies above 0) and nothing is demonstrably worse, at `level`: neither the ranking metric beside
    it, nor, with `pixels` or for a pixel metric, the one of the other sort, nor the normal items flagged.

    Args:
        before: (n,) scores of the detector in place, higher = more anomalous. Of few anomalies: out of fold.
        after: (n,) scores of the candidate, on any scale: only its own order counts.
        labels: (n,) 1 anomalous, 0 normal, -1 unknown, which are left out.
        groups: (n,) items of one group are kept together.
        metric: `auroc`, `ap`, `pixel_auroc`, `pixel_ap`, `aupro`, or one of these after `macro_`.
        seed: of the resamples.
        level: the false-adoption rate of all rounds of the run together.
        rounds: how many rounds the run may have, or None: `level_of`.
        number: of this round, from 1.
        folds: (n,) which of several fits scored each item, -1 where none in particular did. Out of fold, give it.
        kinds: (n,) type of each anomaly, or empty.
        pixels: tallies of both detectors' maps of these n items (`metrics.pixels.tally`); without unknown ones.
        limit: of AUPRO.
        thresholds: lets the gate compare false alarms.

    Raises:
        AgentadError: scores that are not finite, a metric that is unknown or lacks its maps, a level out of range.
    """
    spent = level_of(level, rounds=rounds, number=number)
    known = np.flatnonzero(np.asarray(labels) >= 0)
    if pixels is not None and len(known) < len(labels):
        raise AgentadError("gate: items of unknown label have score maps; tally only those of known label")
    s, t = np.asarray(before)[known], np.asarray(after)[known]
    y, g = np.asarray(labels)[known], np.asarray(groups)[known]
    fold = None if folds is None else np.asarray(folds)[known]
    kind = None if kinds is None else [kinds[i] for i in known.tolist()]

    def measured(name: str) -> Difference | None:
        return compare(
            s, t, y, g, metric=name, level=level, seed=seed, folds=fold, kinds=kind, pixels=pixels, limit=limit
        )

    found = measured(metric)
    if found is None:
        missing = "normal item" if (y == 1).any() else "anomaly"
        why = f"There is no real {missing} that {metric} could be told by, so nothing can be proven."
        return Decision(adopted=False, metric=metric, normals=int((y == 0).sum()), why=why)
    reason = _too_little(found, spent) or _not_better(found, spent)
    if reason is None:
        for name in _beside(metric, pixels is not None):
            other = measured(name)
            if other is not None and other.worse <= level:
                reason = f"better, but worse in {name}: {_change(other)}, p {other.worse:.2g}"
                break
    if reason is None and thresholds is not None:
        normal = y == 0
        harm = false_alarms(s[normal], t[normal], g[normal], thresholds)
        if harm.p_value <= level:
            reason = f"better, but of {len(s[normal])} normal items {harm.said}"
    shared = "" if spent == level else f", this round's part of {level:.2g}"
    verdict = f"better by real evidence at level {spent:.2g}{shared}" if reason is None else reason
    why = f"{metric} {_change(found)}, p {found.better:.2g}, on {_basis(found)}: {verdict}."
    return Decision(
        adopted=reason is None,
        metric=metric,
        before=found.before,
        after=found.after,
        interval=found.interval,
        p_value=found.better,
        anomalies=found.anomalies,
        normals=found.normals,
        why=why,
    )


def no_harm(
    before_normals: Floats,
    after_normals: Floats,
    groups: Labels,
    thresholds: Thresholds,
    *,
    level: float = LEVEL,
) -> Decision:
    """Without any real anomaly: adopted unless normal items get demonstrably worse. That proves no improvement.

    A candidate that says the same of all normal items is not adopted.

    Args:
        before_normals: (n,) scores of normal items that neither detector learned from, higher = more anomalous.
        after_normals: (n,) scores of the candidate.
        groups: (n,) items of one group are kept together.
        thresholds: of both; not drawn from these items.
        level: of the test that more are flagged (`false_alarms`).

    Raises:
        AgentadError: no normal items, or scores that are not finite.
    """
    if not len(before_normals):
        raise AgentadError("gate: no normal items that were not learned from; keep some back")
    if not (np.isfinite(before_normals).all() and np.isfinite(after_normals).all()):
        raise AgentadError("gate: scores of normal items hold values that are not finite")
    harm = false_alarms(before_normals, after_normals, groups, thresholds)
    flat = len(after_normals) > 1 and np.ptp(after_normals) == 0
    refused = flat or harm.p_value <= level
    verdict = (
        "the candidate says the same of all of them, so it was not adopted"
        if flat
        else f"{harm.said}, so it was not adopted"
        if refused
        else f"{harm.said}; it was adopted because normal items do not get demonstrably worse, not because it is better"
    )
    return Decision(
        adopted=not refused,
        metric="false_alarm_rate",
        before=harm.before,
        after=harm.after,
        normals=len(before_normals),
        why=f"There is no real anomaly to try it on, so nothing can be proven. Of {len(before_normals)} normal items, "
        f"{verdict}.",
    )


def _too_little(found: Difference, level: float) -> str | None:
    least = least_groups(level)
    if found.groups >= least:
        return None
    return (
        f"{found.groups} independent real {_plural(found.groups, 'anomaly', 'anomalies')} cannot prove anything at "
        f"level {level:.2g}, whatever the scores; it takes at least {least}"
    )


def _not_better(found: Difference, level: float) -> str | None:
    if found.better <= level and found.interval[0] > 0:
        return None
    return "not better" if found.after <= found.before else f"not shown to be better at level {level:.2g}"


def _beside(metric: str, maps: bool) -> tuple[str, ...]:
    """The metrics that may not get worse while `metric` gets better."""
    name = metric.removeprefix("macro_")
    ranking = tuple(other for other in RANKING if other != name)
    return ranking[:1] if name in PIXEL else (*ranking, *(("pixel_ap",) if maps else ()))


def _change(found: Difference) -> str:
    low, high = found.interval
    return f"{found.before:.3f} to {found.after:.3f} (difference {low:+.3f} to {high:+.3f})"


def _basis(found: Difference) -> str:
    anomalies = f"{found.anomalies} real {_plural(found.anomalies, 'anomaly', 'anomalies')}"
    apart = "" if found.groups == found.anomalies else f" in {found.groups} {_plural(found.groups, 'group', 'groups')}"
    return f"{anomalies}{apart} and {found.normals} normal {_plural(found.normals, 'item', 'items')}"


def _plural(n: int, one: str, many: str) -> str:
    return one if n == 1 else many
