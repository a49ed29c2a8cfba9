"""What a run hands back: the document of `agentad run --json`."""

from __future__ import annotations

from agentad.flow.base import Noun
from agentad.flow.plan import Plan
from agentad.flow.profile import DataProfile
from agentad.flow.threshold import Threshold


class Metrics(Noun):
    """How well one method did on the labelled test items. None where the data cannot tell."""

    auroc: float | None = None
    ap: float | None = None
    f1max: float | None = None
    pixel_auroc: float | None = None
    pixel_ap: float | None = None
    aupro: float | None = None
    """Area under the per-region overlap up to a pixel false-positive rate of 0.3, divided by 0.3."""
    intervals: dict[str, tuple[float, float]] = {}
    """95 % bootstrap intervals, groups kept together, by metric name."""
    false_alarm_rate: float | None = None
    """Share of normal test items flagged at the threshold."""
    recall: float | None = None
    """Share of anomalous test items flagged at the threshold."""
    by_type: dict[str, float] = {}
    """Image or row AUROC of each anomaly type against the normal items."""


class Report(Noun):
    """One finished run."""

    run: str
    dir: str
    plan: Plan
    profile: DataProfile
    detector: str
    """Folder of the detector; `agentad detect` and `agentad.load` take it."""
    threshold: Threshold
    items: int
    flagged: int
    metrics: dict[str, Metrics] | None
    """By method: the detector and every baseline. None without labels."""
    rounds: tuple[str, ...] = ()
    report: str
    """Path of the HTML page."""
    seconds: float
    peak_mb: float
    timings: dict[str, float] = {}
    """CPU seconds per step."""
    versions: dict[str, str] = {}
    reproduce: str = ""
    """The command that makes this run again."""
    notes: tuple[str, ...] = ()
