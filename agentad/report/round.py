"""One round as a self-contained HTML page: what was invented, what was decided, and where the detector is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agentad import flow
from agentad.report import rounds, text, words
from agentad.report.exhibits import Invented, Picture, RoundExhibits
from agentad.report.template import template

SPOTS = 60
"""Groups that are listed."""
COLUMNS = 12
"""Columns of rows that are shown."""


def render_round(report: flow.Report, number: int, exhibits: RoundExhibits | None = None) -> str:
    """The page of the round of that number; the same input gives the same bytes.

    Raises:
        ValueError: the report has no such round, or a picture is not PNG, JPEG or WebP.
    """
    one = next((found for found in report.rounds if found.number == number), None)
    if one is None:
        raise ValueError(f"round {number}: the report has {len(report.rounds)} rounds")
    shown, noun = exhibits or RoundExhibits(), words.noun(report)
    named = _named(one, shown)
    return template("round.html.j2").render(
        report=report,
        round=one,
        noun=noun,
        entry=rounds.entry(one),
        beside=_beside(report, one),
        facts=_facts(report, one),
        basis=rounds.basis(report, one.decision),
        unproven=one.decision.before is not None and not one.decision.anomalies and rounds.UNPROVEN,
        wanted=rounds.wanted(one.mix),
        seats=rounds.seated(one),
        left_out=rounds.left_out(one, report.profile.modality),
        others=rounds.other_rejections(one),
        blind=rounds.blind(one.spots, report),
        spots=[_spot(spot, noun, named) for spot in one.spots[:SPOTS]],
        more_spots=max(0, len(one.spots) - SPOTS),
        examples=[_example(name, one, at, shown) for name, at in named.items()],
        columns=_columns(shown.rows) if shown.rows else [],
        invented=[_invented(made, report) for made in shown.invented],
        invented_columns=_columns({made.origin.id: made.cells for made in shown.invented}),
        shown=shown,
        numbers=[other.number for other in report.rounds],
    )


def _beside(report: flow.Report, one: flow.Round) -> str:
    """What else the round learned from."""
    if one.generator is None:
        return ""
    before = [other for other in report.rounds if other.number < one.number and other.decision.adopted]
    parts = [
        "the real anomalies" if one.decision.anomalies else "",
        "what adopted rounds invented before" if any(other.generator for other in before) else "",
    ]
    said = " and ".join(part for part in parts if part)
    return f", beside {said}" if said else ""


def _facts(report: flow.Report, one: flow.Round) -> list[tuple[str, str, str]]:
    """The strip under the heading: (name, value, small print)."""
    decision, found = one.decision, rounds.entry(one)
    facts = []
    if found["before"] is not None:
        name = found["metric"][0].upper() + found["metric"][1:]
        small = f"difference {found['interval']} (95 %)" if found["interval"] else "of normal items flagged"
        facts.append((name, f"{found['before']} → {found['after']}", small))
    if decision.p_value is not None:
        facts.append(("p", text.chance(decision.p_value), "of as large a difference by chance"))
    if one.generator is not None:
        rejected = f"{found['rejected']} rejected, {found['dropped']} dropped"
        facts.append(("Invented", f"{one.made:,}", rejected))
    if one.cpu_seconds:
        facts.append(("Took", f"{text.number(round(one.cpu_seconds, 1))} s", "of CPU time"))
    return facts


def _named(one: flow.Round, shown: RoundExhibits) -> dict[str, int]:
    """Ids of real items that can be shown, each with its place among the page's anchors."""
    ids = dict.fromkeys(name for spot in one.spots for name in spot.examples)
    return {name: at for at, name in enumerate((i for i in ids if i in shown.tiles or i in shown.rows), 1)}


def _spot(spot: flow.Spot, noun: str, named: Mapping[str, int]) -> dict[str, Any]:
    verb = "flagged" if spot.by == "normals" else "missed"
    return {
        "by": rounds.GROUPS[spot.by],
        "group": rounds.group_name(spot, noun),
        "wrong": f"{spot.wrong:,} of {spot.items:,} {verb}",
        "share": spot.wrong / spot.items if spot.items else 0.0,
        "examples": [(name, named.get(name)) for name in spot.examples],
    }


def _example(name: str, one: flow.Round, at: int, shown: RoundExhibits) -> dict[str, Any]:
    own = [spot for spot in one.spots if name in spot.examples]
    raised = any(spot.by == "normals" for spot in own)
    return {
        "id": name,
        "at": at,
        "said": "false alarm" if raised else "missed",
        "groups": [spot.value for spot in own if spot.value],
        "tile": shown.tiles.get(name),
        "cells": shown.rows.get(name, {}),
    }


def _columns(rows: Mapping[str, Mapping[str, str]]) -> list[str]:
    return list(dict.fromkeys(column for cells in rows.values() for column in cells))[:COLUMNS]


def _invented(made: Invented, report: flow.Report) -> dict[str, Any]:
    origin = made.origin
    pictures: tuple[Picture, ...] = made.pictures
    found = {"id": origin.id, "pictures": pictures, "cells": made.cells, "anomaly": origin.anomaly}
    found["normal"] = origin.normal
    if isinstance(origin, flow.SyntheticRow):
        return found | {"nearest": origin.nearest, "ratio": origin.distance_ratio}
    return found | {"kind": origin.kind, "attempts": origin.attempts, "verdicts": origin.verdicts}
