"""The lines a run ends with."""

from collections.abc import Callable

from agentad import flow
from agentad.report import summary_lines

NewReport = Callable[..., flow.Report]


def test_the_whole_summary(new_report: NewReport) -> None:
    assert summary_lines(new_report([], items=480, flagged=12)) == [
        "12 of 480 rows are flagged (score above 3.215).",
        "The threshold is set so that about 1 % of normal rows are flagged; the true share lies between 0.42 % and "
        "2.13 % (95 % interval, from 200 held-out normal rows).",
        "empirical-denoiser: AUROC 0.931, AP 0.713, best F1 0.701.",
        "empirical-denoiser beats the best baseline, knn1, on AUROC: 0.931 against 0.912. "
        "The 95 % intervals overlap, so the difference may be chance.",
        "Report    /runs/run-0a1b2c/report.html (12.3 s, 812 MB)",
        "Detector  /runs/run-0a1b2c/detector",
        "Next      agentad detect /runs/run-0a1b2c/detector --data NEW_DATA",
    ]


def test_warnings_are_said_and_bounded(new_report: NewReport) -> None:
    report = new_report([], metrics=None, notes=tuple(f"Remark {i}." for i in range(9)))
    threshold = report.threshold.model_copy(update={"warning": "Too few normals."})
    lines = summary_lines(report.model_copy(update={"threshold": threshold}))
    assert lines[2:5] == ["Warning: Too few normals.", "Note: Remark 0.", "… and 8 more remarks in the report."]
    assert 5 <= len(lines) <= 10


def test_without_labels_there_are_five_lines(new_report: NewReport) -> None:
    assert len(summary_lines(new_report([], metrics=None))) == 5


def test_nothing_reaches_the_terminal_that_could_steer_it(new_report: NewReport) -> None:
    lines = summary_lines(new_report([], notes=("\x1b[2J\nhidden",), report="/runs/\u202eeht"))
    assert "Note: \\x1b[2J\\nhidden" in lines
    assert all(line.isprintable() for line in lines)
