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


def test_every_round_has_a_line_and_learning_one(new_report: NewReport, rounds: tuple[flow.Round, ...]) -> None:
    report = new_report([], rounds=rounds, stopped="The time for rounds is spent.")
    metrics = {**report.metrics, "unsupervised": flow.Metrics(auroc=0.9, intervals={"auroc": (0.85, 0.91)})}
    assert summary_lines(report.model_copy(update={"metrics": metrics}))[3:8] == [
        "Learning from anomalies raised AUROC from 0.900 (unsupervised) to 0.931. "
        "The 95 % intervals overlap, so the difference may be chance.",
        "empirical-denoiser beats the best baseline, knn1, on AUROC: 0.931 against 0.912. "
        "The 95 % intervals overlap, so the difference may be chance.",
        "Round 1: real anomalies alone; AUROC 0.912 to 0.943 (p 0.0042): adopted",
        "Round 2: 40 invented with residual-paste; AUROC 0.912 to 0.910 (p 0.71): not adopted",
        "No further round: The time for rounds is spent.",
    ]


def test_without_real_anomalies_nothing_is_proven(new_report: NewReport, rounds: tuple[flow.Round, ...]) -> None:
    decision = flow.Decision(adopted=True, metric="false_alarm_rate", before=0.01, after=0.02, normals=75, why="…")
    lines = summary_lines(new_report([], rounds=(rounds[1].model_copy(update={"decision": decision}),)))
    assert lines[4:6] == [
        "Round 2: 40 invented with residual-paste; false alarms 1 % to 2 %: adopted",
        "No real anomaly was known, so nothing is proven: rounds were only kept from raising more false alarms.",
    ]


def test_of_many_rounds_the_last_are_told(new_report: NewReport, rounds: tuple[flow.Round, ...]) -> None:
    many = tuple(rounds[1].model_copy(update={"number": i}) for i in range(1, 13))
    decision = rounds[1].decision.model_copy(update={"p_value": 1e-6})
    lines = summary_lines(new_report([], rounds=(*many, rounds[1].model_copy(update={"decision": decision}))))
    assert "… 7 earlier rounds in the report." in lines
    assert sum(line.startswith("Round ") for line in lines) == 6
    assert all(line.isprintable() for line in lines)
