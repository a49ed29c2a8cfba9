"""How each type of anomaly fares with each method, and the mean over the types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agentad import flow
from agentad.report.compare import NAMES
from agentad.report.compare import methods as ordered

SHOWN = ("auroc", "pixel_ap", "aupro")
"""Metrics that are shown where any method has them; of tables, which have no pixels, the first and `ap`."""
ROWS_SHOWN = ("auroc", "ap")


@dataclass(frozen=True)
class Value:
    """One metric of one type by one method."""

    value: float | None
    interval: tuple[float, float] | None
    best: bool
    """Whether no method has more."""


@dataclass(frozen=True)
class TypeRow:
    """One type of anomaly, or the mean over all under an empty name."""

    name: str
    n: int
    """Scored items of this type."""
    found: int
    """Those that are flagged."""
    values: tuple[tuple[Value, ...], ...]
    """By method, then by metric."""


@dataclass(frozen=True)
class TypeTable:
    """Types, the hardest for the detector first, then their mean where there are several."""

    methods: tuple[str, ...]
    metrics: tuple[str, ...]
    """As the page calls them."""
    rows: tuple[TypeRow, ...]


def type_table(
    report: flow.Report, items: Sequence[flow.ScoredItem], labels: Mapping[str, int], kinds: Mapping[str, str]
) -> TypeTable | None:
    """The table; None where no type has a metric."""
    methods = ordered(report)
    names = sorted({name for m in methods.values() for name in m.by_type})
    if not names:
        return None
    wanted = SHOWN if report.profile.modality == "image" else ROWS_SHOWN
    metrics = [key for key in wanted if any(key in own for m in methods.values() for own in m.by_type.values())]
    counted: dict[str, list[bool]] = {name: [] for name in names}
    for item in items:
        if labels.get(item.id) == 1 and (kind := kinds.get(item.id)) in counted:
            counted[kind].append(item.flag)
    rows = [TypeRow(name, len(flags), sum(flags), _values(name, methods, metrics)) for name, flags in counted.items()]
    hardest = methods.get(report.plan.detector.tool, flow.Metrics()).by_type
    rows.sort(key=lambda row: hardest.get(row.name, {}).get("auroc", 1.0))
    if len(rows) > 1:
        rows.append(TypeRow("", sum(r.n for r in rows), sum(r.found for r in rows), _values("", methods, metrics)))
    return TypeTable(tuple(methods), tuple(NAMES[key] for key in metrics), tuple(rows))


def _values(name: str, methods: Mapping[str, flow.Metrics], metrics: Sequence[str]) -> tuple[tuple[Value, ...], ...]:
    """Of one type, or of the mean over types without a `name`."""
    found = {method: _told(m, name) for method, m in methods.items()}
    best = {key: max((own[key] for own, _ in found.values() if key in own), default=None) for key in metrics}
    return tuple(
        tuple(Value(own.get(key), ends.get(key), key in own and own[key] == best[key]) for key in metrics)
        for own, ends in found.values()
    )


def _told(m: flow.Metrics, name: str) -> tuple[dict[str, float], dict[str, tuple[float, float]]]:
    if not name:
        return m.macro, m.macro_intervals
    return m.by_type.get(name, {}), m.by_type_intervals.get(name, {})
