"""The few lines a run ends with on the terminal."""

from __future__ import annotations

from agentad import flow
from agentad.report.compare import NAMES, comparisons, learned, learning, sentence
from agentad.report.rounds import line, unproven
from agentad.report.text import clean, measure, number
from agentad.report.words import false_alarms, headline, next_commands, warnings

NOTES = 2
ROUNDS = 6
"""Rounds that get a line; of more, the last ones."""


def summary_lines(report: flow.Report) -> list[str]:
    """The answer, how sure it is, a line a round, what to beware of, where things are, what to do next.

    Five to ten plain lines, and those of the rounds.
    """
    lines = [f"{headline(report)} (score above {number(report.threshold.value)}).", false_alarms(report)]
    lines += _quality(report)
    lines += _rounds(report)
    lines += _warnings(report)
    lines += [
        f"Report    {report.report} ({number(round(report.seconds, 1))} s, {number(round(report.peak_mb))} MB)",
        f"Detector  {report.detector}",
        f"Next      {next_commands(report)[0][1]}",
    ]
    return [clean(text.replace("\u00a0", " "), 400) for text in lines]


def _quality(report: flow.Report) -> list[str]:
    method = report.plan.detector.tool
    found = (report.metrics or {}).get(method)
    values = [f"{n} {measure(v)}" for key, n in NAMES.items() if found and (v := getattr(found, key)) is not None]
    compared = comparisons(report)
    # Losses are among the warnings; without any, the first metric says it for all.
    judged = [] if any(c.lost for c in compared) else compared[:1]
    told = [learned(c) for c in learning(report)[:1] if not c.lost]
    return ([f"{method}: {', '.join(values)}."] if values else []) + told + [sentence(c) for c in judged]


def _rounds(report: flow.Report) -> list[str]:
    before = len(report.rounds) - ROUNDS
    found = [f"… {before:,} earlier rounds in the report."] if before > 0 else []
    found += [line(one) for one in report.rounds[-ROUNDS:]]
    said = unproven(report)
    return found + ([said] if said else []) + ([f"No further round: {report.stopped}"] if report.stopped else [])


def _warnings(report: flow.Report) -> list[str]:
    found = [f"Warning: {text}" if head != "Note" else f"Note: {text}" for head, text in warnings(report)]
    if len(found) <= NOTES + 1:
        return found
    return [*found[:NOTES], f"… and {len(found) - NOTES} more remarks in the report."]
