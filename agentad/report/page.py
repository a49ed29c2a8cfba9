"""The run as one self-contained HTML page: no script, no network, nothing to install to read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from agentad import flow
from agentad.flow.report import UNSUPERVISED
from agentad.report import text, words
from agentad.report.by_type import type_table
from agentad.report.cells import grid
from agentad.report.chart import Group, chart
from agentad.report.compare import NAMES, comparisons, learned, learning
from agentad.report.compare import methods as ordered
from agentad.report.compare import sentence as compared
from agentad.report.exhibits import Exhibits
from agentad.report.pick import Picked, pick
from agentad.report.rounds import entry, unproven
from agentad.report.template import template

COLUMNS = 60
"""Columns of the profile that are listed."""
SKIPPED = 20
SAMPLES = 8
PICTURES = 6
"""Pictures of one item."""


def render(report: flow.Report, items: Sequence[flow.ScoredItem], exhibits: Exhibits | None = None) -> str:
    """The page. `items` are all scored items, in any order; the same input gives the same bytes.

    Raises:
        ValueError: a picture that is not PNG, JPEG or WebP.
    """
    shown = exhibits or Exhibits()
    picked = pick(items, report.threshold.value, shown.labels)
    groups = _groups(picked, report, shown)
    return template("page.html.j2").render(
        report=report,
        shown=shown,
        noun=words.noun(report),
        headline=words.headline(report),
        facts=_facts(report),
        answer=_answer(report, items, shown),
        warnings=words.warnings(report),
        groups=groups,
        sheets=any(g["tiles"] for g in groups),
        explained=not items or any(item.evidence for item in items),
        intervals=any(cell.interval for g in groups for row in g["grid"].cells.values() for cell in row),
        anchors={name: f"item-{n}" for n, name in enumerate(picked.ids, 1)},
        chart=chart(_scores(report, items, shown), report.threshold.value),
        metrics=_metrics(report),
        types=type_table(report, items, shown.labels, shown.kinds),
        categories=_by_category(report),
        without_mask=max((m.without_mask for m in (report.metrics or {}).values()), default=0),
        aupro_limit=max((m.aupro_limit for m in (report.metrics or {}).values()), default=0),
        prevalence=_prevalence(items, shown.labels),
        compared=[compared(c) for c in comparisons(report)],
        learning=[learned(c) for c in learning(report)],
        rounds=[entry(one) for one in report.rounds] or bool(report.stopped),
        unproven=unproven(report),
        next_commands=words.next_commands(report),
        limits={"columns": COLUMNS, "skipped": SKIPPED, "samples": SAMPLES, "pictures": PICTURES},
    )


def _by_category(report: flow.Report) -> dict[str, Any] | None:
    """How the detector does in each of several categories."""
    found = (report.metrics or {}).get(report.plan.detector.tool, flow.Metrics()).by_category
    if not found:
        return None
    metrics = {key: name for key, name in NAMES.items() if any(key in own for own in found.values())}
    rows = {
        name: {
            "values": [own.get(key) for key in metrics],
            "shares": [own.get("false_alarm_rate"), own.get("recall")],
        }
        for name, own in found.items()
    }
    return {"metrics": list(metrics.values()), "rows": rows}


def _answer(report: flow.Report, items: Sequence[flow.ScoredItem], shown: Exhibits) -> list[str]:
    right = words.labelled(items, shown.labels, words.noun(report))
    who = "They score" if report.flagged > 1 else "It scores" if report.flagged else f"No {words.noun(report)} scores"
    head = f"{who} above the threshold of {text.number(report.threshold.value)}."
    said = (head, words.false_alarms(report), words.expected_alarms(report), right)
    return [sentence for sentence in said if sentence]


def _facts(report: flow.Report) -> list[tuple[str, str, str]]:
    """The strip under the answer: (name, value, small print)."""
    t = report.threshold
    interval = f"95 %: {text.percent(t.far_low)} to {text.percent(t.far_high)}"
    facts = [
        ("Flagged", f"{report.flagged:,}", f"of {text.count(report.items, words.noun(report))}"),
        ("Threshold", text.number(t.value), f"{t.method}, {t.n_calibration:,} scores"),
        ("False alarms aimed at", text.percent(t.target_far), interval),
    ]
    found = (report.metrics or {}).get(report.plan.detector.tool)
    if found is not None and found.auroc is not None:
        facts.append(("AUROC", text.measure(found.auroc), _interval(found, "auroc")))
    return facts


def _interval(metrics: flow.Metrics, name: str) -> str:
    interval = metrics.intervals.get(name)
    return f"{text.measure(interval[0])} to {text.measure(interval[1])}" if interval else ""


def _groups(picked: Picked, report: flow.Report, shown: Exhibits) -> list[dict[str, Any]]:
    """The groups of items with their heading; each item is shown once and referred to afterwards."""
    item, n = words.noun(report), len(picked.worst)
    named = [
        (f"The {text.count(n, item)} with the highest scores" if n > 1 else "The highest score", picked.worst),
        ("Borderline: just above and below the threshold", picked.near),
        ("Missed: labelled anomalous, not flagged", picked.missed),
        ("Falsely raised: labelled normal, flagged", picked.raised),
    ]
    seen: set[str] = set()
    groups = []
    for heading, members in named:
        fresh = [i for i in members if i.id not in seen]
        groups.append(
            {
                "heading": heading,
                "items": fresh,
                "again": [i for i in members if i.id in seen],
                "tiles": [i for i in members if i.id in shown.tiles],
                "grid": grid(fresh, shown.rows),
            }
        )
        seen |= {i.id for i in fresh}
    return [g for g in groups if g["items"] or g["again"]]


def _scores(report: flow.Report, items: Sequence[flow.ScoredItem], shown: Exhibits) -> list[Group]:
    scores = np.array([i.score for i in items], float)
    known = np.array([shown.labels.get(i.id, -1) for i in items], int)
    noun, plain = words.noun(report), not (known >= 0).any()
    # labels are known to the page where they were used to measure, which is not where the detector learned
    kind = f"unlabelled {noun}s" if report.profile.unlabelled else f"{noun}s learned from"
    learnt = "Held-out normal" if report.plan.training == "normal" else "Held-out training"
    held = np.zeros(0) if shown.held_out is None else shown.held_out
    return [
        Group(f"{learnt} {noun}s", "held", held),
        Group(f"Scored {noun}s" if plain else f"Scored, {kind}", "scored", scores[known < 0]),
        Group(f"Scored, labelled normal {noun}s", "normal", scores[known == 0]),
        Group(f"Scored, labelled anomalous {noun}s", "anomalous", scores[known == 1]),
    ]


def _metrics(report: flow.Report) -> dict[str, Any] | None:
    """The table of methods: names of the columns that hold anything, and a row a method with the best marked."""
    if not report.metrics:
        return None
    methods = ordered(report)
    names = [n for n in NAMES if any(getattr(m, n) is not None for m in methods.values())]
    best = {n: max(v for m in methods.values() if (v := getattr(m, n)) is not None) for n in names}
    rows = [
        {
            "method": name,
            "role": _role(name, report),
            "cells": [_cell(m, n, best[n]) for n in names],
            "metrics": m,
        }
        for name, m in methods.items()
    ]
    return {"names": [NAMES[n] for n in names], "rows": rows}


def _role(name: str, report: flow.Report) -> str:
    if name == UNSUPERVISED:
        return "the method before the rounds"
    if name != report.plan.detector.tool:
        return "baseline"
    return "the method after the rounds" if UNSUPERVISED in (report.metrics or {}) else "the method"


def _cell(metrics: flow.Metrics, name: str, best: float) -> dict[str, Any]:
    value = getattr(metrics, name)
    is_best = value is not None and text.measure(value) == text.measure(best)
    return {"value": value, "interval": _interval(metrics, name), "best": is_best}


def _prevalence(items: Sequence[flow.ScoredItem], labels: Mapping[str, int]) -> float | None:
    """Share of anomalies among labelled items: the AP of a coin toss."""
    known = [v for i in items if (v := labels.get(i.id, -1)) >= 0]
    return sum(known) / len(known) if known else None
