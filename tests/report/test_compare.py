"""Who wins is said plainly, and whether it could be chance."""

from collections.abc import Callable

import pytest

from agentad import flow
from agentad.report.compare import comparisons, sentence

OURS, KNN = "empirical-denoiser", "knn1"
NewReport = Callable[..., flow.Report]


@pytest.fixture
def said(new_report: NewReport) -> Callable[..., list[str]]:
    def sentences(ours: flow.Metrics, knn: flow.Metrics) -> list[str]:
        return [sentence(c) for c in comparisons(new_report([], metrics={OURS: ours, KNN: knn}))]

    return sentences


def test_a_win_that_may_be_chance(new_report: NewReport) -> None:
    assert [sentence(c) for c in comparisons(new_report([]))] == [
        "empirical-denoiser beats the best baseline, knn1, on AUROC: 0.931 against 0.912. "
        "The 95 % intervals overlap, so the difference may be chance.",
        "empirical-denoiser beats the best baseline, knn1, on AP: 0.713 against 0.692. "
        "The 95 % intervals overlap, so the difference may be chance.",
    ]


def test_a_loss_beyond_chance(said: Callable[..., list[str]]) -> None:
    ours = flow.Metrics(auroc=0.8, intervals={"auroc": (0.78, 0.82)})
    knn = flow.Metrics(auroc=0.9, intervals={"auroc": (0.88, 0.92)})
    assert said(ours=ours, knn=knn) == [
        "The cheap baseline knn1 wins on AUROC: 0.900 against 0.800 for empirical-denoiser. "
        "The 95 % intervals do not overlap."
    ]


def test_a_draw_to_three_decimals(said: Callable[..., list[str]]) -> None:
    assert said(ours=flow.Metrics(auroc=0.90001), knn=flow.Metrics(auroc=0.90012)) == [
        "The cheap baseline knn1 does as well as empirical-denoiser on AUROC: 0.900 each."
    ]


def test_missing_intervals_promise_nothing(said: Callable[..., list[str]]) -> None:
    assert said(ours=flow.Metrics(auroc=0.9), knn=flow.Metrics(auroc=0.8)) == [
        "empirical-denoiser beats the best baseline, knn1, on AUROC: 0.900 against 0.800. "
        "Without intervals for both, the difference may be chance."
    ]


def test_the_best_of_several_baselines_is_the_one_to_beat(new_report: NewReport) -> None:
    metrics = {OURS: flow.Metrics(ap=0.5), KNN: flow.Metrics(ap=0.4), "isolation-forest": flow.Metrics(ap=0.45)}
    assert [c.baseline for c in comparisons(new_report([], metrics=metrics))] == ["isolation-forest"]


def test_nothing_to_compare(new_report: NewReport) -> None:
    assert comparisons(new_report([], metrics=None)) == []
    assert comparisons(new_report([], metrics={OURS: flow.Metrics(auroc=0.9)})) == []
    assert comparisons(new_report([], metrics={KNN: flow.Metrics(auroc=0.9)})) == []
