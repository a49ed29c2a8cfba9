"""Sentences whose numbers are counted by hand."""

from collections.abc import Callable

import pytest

from agentad import flow
from agentad.report import words

NewReport = Callable[..., flow.Report]


def item(name: str, flag: bool) -> flow.ScoredItem:
    return flow.ScoredItem(id=name, score=1.0, p_value=0.5, flag=flag)


@pytest.mark.parametrize(
    ("flagged", "items", "said"),
    [
        (12, 480, "12 of 480 rows are flagged"),
        (1, 1, "1 of 1 row is flagged"),
        (0, 1000, "0 of 1,000 rows are flagged"),
    ],
)
def test_headline(new_report: NewReport, flagged: int, items: int, said: str) -> None:
    assert words.headline(new_report([], flagged=flagged, items=items)) == said


def test_false_alarms_of_a_conformal_threshold(new_report: NewReport) -> None:
    assert words.false_alarms(new_report([])) == (
        "The threshold is set so that about 1 % of normal rows are flagged; the true share lies between 0.42 % and "
        "2.13 % (95 % interval, from 200 held-out normal rows)."
    )


def test_false_alarms_of_an_empirical_null_claim_no_held_out_normals(new_report: NewReport) -> None:
    report = new_report([])
    threshold = report.threshold.model_copy(update={"method": "empirical-null"})
    said = words.false_alarms(report.model_copy(update={"threshold": threshold}))
    assert said.endswith("(95 % interval, from a fit to the bulk of 200 unlabelled scores).")


def test_expected_alarms_are_the_interval_times_the_items(new_report: NewReport) -> None:
    said = words.expected_alarms(new_report([], items=1000))
    assert said == "If all 1,000 rows were normal, between 4 and 21 would still be flagged."
    assert words.expected_alarms(new_report([], items=5)) is None


def test_labelled_counts() -> None:
    items = [item("a", True), item("b", False), item("c", True), item("d", False), item("e", True)]
    labels = {"a": 1, "b": 1, "c": 0, "d": 0, "e": -1}
    assert words.labelled(items, labels, "row") == (
        "Of 2 labelled anomalous rows, 1 flagged and 1 missed; of 2 labelled normal rows, 1 flagged falsely."
    )
    assert words.labelled(items, {"c": 0}, "row") == "Of 1 labelled normal row, 1 flagged falsely."
    assert words.labelled(items, {}, "row") is None


def test_warnings_come_gravest_first(new_report: NewReport) -> None:
    report = new_report([], notes=("A note.",))
    threshold = report.threshold.model_copy(update={"warning": "Too few normals."})
    metrics = {"empirical-denoiser": flow.Metrics(auroc=0.8), "knn1": flow.Metrics(auroc=0.9)}
    profile = report.profile.model_copy(update={"n_skipped": 2})
    changed = report.model_copy(update={"threshold": threshold, "metrics": metrics, "profile": profile})
    assert [head for head, _ in words.warnings(changed)] == [
        "The threshold is uncertain",
        "The baseline wins",
        "Data left out",
        "Note",
    ]


def test_a_warning_is_a_whole_sentence(new_report: NewReport) -> None:
    report = new_report([])
    threshold = report.threshold.model_copy(update={"warning": "no row is known to be normal"})
    said = words.warnings(report.model_copy(update={"threshold": threshold}))
    assert said == [("The threshold is uncertain", "No row is known to be normal.")]


def test_next_commands_quote_what_a_shell_would_split(new_report: NewReport) -> None:
    report = new_report([], detector="/my runs/it's/detector", dir="/my runs/it's")
    commands = [command for _, command in words.next_commands(report)]
    assert commands == [
        """agentad detect '/my runs/it'"'"'s/detector' --data NEW_DATA""",
        """agentad recipe run '/my runs/it'"'"'s/plan.yaml' --data /data/plant.csv --set target_far=0.05""",
        "agentad runs show run-0a1b2c --json",
    ]


@pytest.mark.parametrize(
    ("box", "said"),
    [
        ((0, 0, 10, 10), "upper left"),
        ((45, 45, 55, 55), "centre"),
        ((45, 80, 55, 100), "lower middle"),
        ((90, 45, 100, 55), "middle right"),
        ((0, 0, 100, 60), "most of the image"),
    ],
)
def test_place(box: tuple[int, int, int, int], said: str) -> None:
    assert words.place(box, (100, 100)) == said


def test_region() -> None:
    region = flow.RegionEvidence(box=(60, 40, 180, 130), area=6144, peak=4.25, peak_at=(120, 80))
    assert words.region(region, (640, 480)) == "upper left, 120 × 90 px, 2 % of the image; peak 4.25"
    assert words.region(region, None) == "120 × 90 px at x 60, y 40; peak 4.25"


def test_region_says_how_unusual_it_is_and_where_the_detector_is_unsure() -> None:
    region = flow.RegionEvidence(
        box=(60, 40, 180, 130), area=6144, peak=4.25, peak_at=(120, 80), p_value=0.0031, doubt=0.49
    )
    assert words.region(region, None) == "120 × 90 px at x 60, y 40; peak 4.25, p\u00a00.0031"
    assert words.region(region.model_copy(update={"doubt": 0.5}), None) == (
        "120 × 90 px at x 60, y 40; peak 4.25, p\u00a00.0031; "
        "unsure: to one part of the detector this is rare, to another it is not"
    )
