"""Rounds in words."""

from collections.abc import Callable

import pytest

from agentad import flow
from agentad.report import rounds as said

Rounds = tuple[flow.Round, ...]
HARMLESS = flow.Decision(
    adopted=True,
    metric="false_alarm_rate",
    before=0.0133,
    after=0.02,
    normals=75,
    why="There is no real anomaly to try it on, so nothing can be proven. Of 75 normal items, 1 was flagged.",
)


def test_a_round_in_a_line(rounds: Rounds) -> None:
    assert [said.line(one) for one in rounds] == [
        "Round 1: real anomalies alone; AUROC 0.912 to 0.943 (p 0.0042): adopted",
        "Round 2: 40 invented with residual-paste; AUROC 0.912 to 0.910 (p 0.71): not adopted",
    ]
    harmless = rounds[1].model_copy(update={"decision": HARMLESS})
    assert said.line(harmless) == "Round 2: 40 invented with residual-paste; false alarms 1.33 % to 2 %: adopted"
    failed = flow.Decision(adopted=False, metric="auroc", why="The round failed: no: really.")
    assert (
        said.line(rounds[1].model_copy(update={"decision": failed}))
        == "Round 2: 40 invented with residual-paste: not adopted. The round failed: no: really."
    )


@pytest.mark.parametrize(
    ("metric", "name"), [("pixel_ap", "pixel AP"), ("macro_auroc", "mean AUROC"), ("speed", "speed")]
)
def test_metrics_are_called_as_on_the_page(metric: str, name: str) -> None:
    assert said.metric(flow.Decision(adopted=False, metric=metric, why="")) == name


def test_the_reason_is_what_follows_the_figures(rounds: Rounds) -> None:
    assert said.reason(rounds[0].decision) == "Better by real evidence at level 0.017."
    assert said.reason(HARMLESS) == HARMLESS.why


def test_nothing_is_proven_without_real_anomalies(new_report: Callable[..., flow.Report], rounds: Rounds) -> None:
    harmless = rounds[1].model_copy(update={"decision": HARMLESS})
    assert said.unproven(new_report([], rounds=(harmless,))) == said.UNPROVEN
    assert said.unproven(new_report([], rounds=(*rounds, harmless))) is None
    assert said.unproven(new_report([])) is None


def test_a_mix_is_said_largest_part_first(rounds: Rounds) -> None:
    assert said.wanted(rounds[0].mix) == []
    assert said.wanted(rounds[1].mix) == [
        said.Wanted(
            0.75,
            "scratch",
            (
                "covering 0.5 % to 3 % of the image",
                "at the edge",
                "0.5 to 1 times the contrast of the real one",
                "25 % of them on normals that look most like anomalies",
            ),
        ),
        said.Wanted(0.25, "bent", ()),
    ]
    drawn = flow.Portion(brief=flow.Brief(shape="hole", strength=(2, 2), text="a hole in the rim"))
    assert said.wanted(flow.Mix(portions=(drawn,)))[0].asked == (
        "drawn as a hole",
        "2 times the contrast of the real one",
        "showing “a hole in the rim”",
    )


def test_weights_may_all_be_nothing() -> None:
    assert said.wanted(flow.Mix(portions=(flow.Portion(weight=0),)))[0].share == 0


def test_verifiers_that_say_nothing_of_rows_are_not_mentioned_for_rows(rounds: Rounds) -> None:
    assert said.left_out(rounds[1], "table") == [("placement", "no better than chance")]
    assert [name for name, _ in said.left_out(rounds[1], "image")] == ["placement", "type"]
    assert said.seated(rounds[1]) == [
        said.Seat("visibility", "anything can be seen", "12.5 % of 8", "5 % of 40", rejected=6)
    ]
    assert said.other_rejections(rounds[1]) == [("no place", 3)]


def test_blind_spots_are_summed_once(new_report: Callable[..., flow.Report], rounds: Rounds) -> None:
    report = new_report([])
    assert (
        said.blind(rounds[1].spots, report)
        == "Of 20 real anomalies 3 are missed, of 150 normal rows 1 is falsely flagged."
    )
    assert said.blind((), report) is None
    assert [said.group_name(spot, "row") for spot in rounds[1].spots] == [
        *("scratch", "of no named type", "small", "all rows")
    ]
