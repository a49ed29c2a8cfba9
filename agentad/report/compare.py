"""The method beside its baselines: who ranks better, by how much, and whether that could be chance."""

from __future__ import annotations

from dataclasses import dataclass

from agentad import flow
from agentad.flow.report import UNSUPERVISED
from agentad.report.text import measure

NAMES = {
    "auroc": "AUROC",
    "ap": "AP",
    "f1max": "best F1",
    "pixel_auroc": "pixel AUROC",
    "pixel_ap": "pixel AP",
    "aupro": "AUPRO",
}
"""Metrics of `flow.Metrics` that do not depend on the threshold, as the page calls them."""
COMPARED = ("auroc", "ap", "pixel_ap", "aupro")
"""Those on which the method has to earn its place."""


@dataclass(frozen=True)
class Comparison:
    """One metric of the method against the best baseline's."""

    metric: str
    method: str
    ours: float
    baseline: str
    theirs: float
    overlap: bool | None
    """Whether the two 95 % intervals overlap; None where one of them is missing."""

    @property
    def lost(self) -> bool:
        """Whether the baseline is ahead by more than rounding."""
        return measure(self.theirs) != measure(self.ours) and self.theirs > self.ours

    @property
    def level(self) -> bool:
        """Whether both are the same to three decimals."""
        return measure(self.theirs) == measure(self.ours)


def methods(report: flow.Report) -> dict[str, flow.Metrics]:
    """The metrics by method: the detector's, then its own before the rounds, then the baselines'."""
    found = report.metrics or {}
    order = (report.plan.detector.tool, UNSUPERVISED)
    return {name: found[name] for name in (*order, *found) if name in found}


def comparisons(report: flow.Report) -> list[Comparison]:
    """The method against the best baseline on each metric that both have. Empty without labels or baselines."""
    metrics = report.metrics or {}
    method = report.plan.detector.tool
    if method not in metrics:
        return []
    beside = {name: found for name, found in metrics.items() if name != UNSUPERVISED}
    return [c for name in COMPARED if (c := _compare(name, method, beside)) is not None]


def learning(report: flow.Report) -> list[Comparison]:
    """The method against itself before it learned from anomalies; what rounds had to improve comes first.

    Empty unless a round was adopted and there are labels.
    """
    method = report.plan.detector.tool
    both = {name: found for name, found in (report.metrics or {}).items() if name in (method, UNSUPERVISED)}
    if len(both) < 2:
        return []
    first = report.plan.loop.metric if report.plan.loop else ""
    order = sorted(COMPARED, key=lambda name: name != first)
    return [c for name in order if (c := _compare(name, method, both)) is not None]


def _compare(metric: str, method: str, metrics: dict[str, flow.Metrics]) -> Comparison | None:
    values = {name: getattr(m, metric) for name, m in metrics.items() if getattr(m, metric) is not None}
    ours = values.pop(method, None)
    if ours is None or not values:
        return None
    baseline = max(values, key=values.__getitem__)
    intervals = metrics[method].intervals.get(metric), metrics[baseline].intervals.get(metric)
    return Comparison(metric, method, ours, baseline, values[baseline], _overlap(*intervals))


def _overlap(a: tuple[float, float] | None, b: tuple[float, float] | None) -> bool | None:
    return None if a is None or b is None else a[0] <= b[1] and b[0] <= a[1]


CHANCE = {
    True: " The 95 % intervals overlap, so the difference may be chance.",
    False: " The 95 % intervals do not overlap.",
    None: " Without intervals for both, the difference may be chance.",
}


def learned(c: Comparison) -> str:
    """What learning from anomalies did to the method, in one sentence or two."""
    name = NAMES[c.metric]
    if c.level:
        return f"Learning from anomalies left {name} as it was: {measure(c.ours)}."
    verb = "lowered" if c.lost else "raised"
    head = f"Learning from anomalies {verb} {name} from {measure(c.theirs)} ({c.baseline}) to {measure(c.ours)}."
    return head + CHANCE[c.overlap]


def sentence(c: Comparison) -> str:
    """The comparison in one sentence or two."""
    name = NAMES[c.metric]
    if c.level:
        return f"The cheap baseline {c.baseline} does as well as {c.method} on {name}: {measure(c.ours)} each."
    chance = CHANCE[c.overlap]
    if c.lost:
        head = f"The cheap baseline {c.baseline} wins on {name}: {measure(c.theirs)} against {measure(c.ours)}"
        return f"{head} for {c.method}.{chance}"
    head = (
        f"{c.method} beats the best baseline, {c.baseline}, on {name}: {measure(c.ours)} against {measure(c.theirs)}."
    )
    return head + chance
