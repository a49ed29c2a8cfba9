"""What a run hands back: the document of `agentad run --json`."""

from __future__ import annotations

from agentad.flow.base import Noun
from agentad.flow.plan import Plan
from agentad.flow.profile import DataProfile
from agentad.flow.round import Round
from agentad.flow.threshold import Threshold

UNSUPERVISED = "unsupervised"
"""Among the methods of a report: its detector as it was before it learned from anomalies."""


class Metrics(Noun):
    """How well one method did on the labelled test items. None where the data cannot tell."""

    auroc: float | None = None
    ap: float | None = None
    f1max: float | None = None
    pixel_auroc: float | None = None
    pixel_ap: float | None = None
    aupro: float | None = None
    """Area under the per-region overlap up to a pixel false-positive rate of `aupro_limit`, divided by it."""
    aupro_limit: float = 0.3
    intervals: dict[str, tuple[float, float]] = {}
    """95 % bootstrap intervals, groups kept together, by metric name."""
    false_alarm_rate: float | None = None
    """Share of normal test items flagged at the threshold."""
    recall: float | None = None
    """Share of anomalous test items flagged at the threshold."""
    by_type: dict[str, dict[str, float]] = {}
    """By anomaly type, then by metric name: the type's items against all normal ones."""
    macro: dict[str, float] = {}
    """Mean over the types, by metric name."""
    by_type_intervals: dict[str, dict[str, tuple[float, float]]] = {}
    """As `intervals`, of `by_type`."""
    macro_intervals: dict[str, tuple[float, float]] = {}
    """As `intervals`, of `macro`."""
    by_category: dict[str, dict[str, float]] = {}
    """Of several data sets side by side: by category, then by metric name, false alarms and recall included; each
    category's items by themselves, against its own normals. Items of no known category are in none."""
    without_mask: int = 0
    """Anomalous test images that pixel metrics leave out: their mask is not there, or marks nothing."""


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
    rounds: tuple[Round, ...] = ()
    stopped: str | None = None
    """Why there were fewer rounds than planned."""
    budget_spent: bool = False
    """Whether that is because the time for them was spent; what was reached by then counts."""
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
