import numpy as np
import pytest

from agentad.metrics import Intervals, ap, auroc, bootstrap, f1max
from agentad.metrics.intervals import _metrics


def example(n: int = 200, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = (np.arange(n) % 4 == 0).astype(int)
    return np.round(rng.normal(size=n) + labels, 1), labels  # rounding makes ties


def test_interval_holds_the_estimate_and_has_the_known_width() -> None:
    scores, labels = example(400)
    interval = bootstrap(scores, labels, np.arange(400), seed=1).whole
    for name, metric in (("auroc", auroc), ("ap", ap), ("f1max", f1max)):
        low, high = interval[name]
        assert 0 <= low < metric(scores, labels) < high <= 1
    # Hanley and McNeil (1982): standard error of the AUROC with 100 anomalous and 300 normal items.
    a = auroc(scores, labels)
    q1, q2 = a / (2 - a), 2 * a * a / (1 + a)
    error = np.sqrt((a * (1 - a) + 99 * (q1 - a * a) + 299 * (q2 - a * a)) / (100 * 300))
    low, high = interval["auroc"]
    assert high - low == pytest.approx(2 * 1.96 * error, rel=0.15)


@pytest.mark.parametrize("seed", range(5))
def test_weighted_metrics_equal_repeated_items(seed: int) -> None:
    scores, labels = example(60, seed)
    times = np.random.default_rng(seed).integers(0, 4, 60)
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    ends = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
    got = _metrics(times[order][None].astype(float), labels[order] == 1, ends)
    repeated, repeated_labels = np.repeat(scores, times), np.repeat(labels, times)
    assert got["auroc"][0] == pytest.approx(auroc(repeated, repeated_labels), abs=1e-12)
    assert got["ap"][0] == pytest.approx(ap(repeated, repeated_labels), abs=1e-12)
    assert got["f1max"][0] == pytest.approx(f1max(repeated, repeated_labels), abs=1e-12)


def test_copies_in_one_group_do_not_narrow_the_interval() -> None:
    scores, labels = example(100)
    once = bootstrap(scores, labels, np.arange(100), seed=0).whole["auroc"]
    nine, groups = np.tile(np.arange(100), 9), np.tile(np.arange(100), 9)
    together = bootstrap(scores[nine], labels[nine], groups, seed=0).whole["auroc"]
    alone = bootstrap(scores[nine], labels[nine], np.arange(900), seed=0).whole["auroc"]
    assert together == pytest.approx(once, abs=1e-12)
    assert alone[1] - alone[0] < 0.5 * (once[1] - once[0])


def test_seeded() -> None:
    scores, labels = example()
    groups = np.arange(200)
    assert bootstrap(scores, labels, groups, seed=3) == bootstrap(scores, labels, groups, seed=3)
    assert bootstrap(scores, labels, groups, seed=3) != bootstrap(scores, labels, groups, seed=4)


@pytest.mark.parametrize("labels", [[0, 0, 0], [1, 1], []])
def test_one_class_has_no_interval(labels: list[int]) -> None:
    n = len(labels)
    assert bootstrap(np.arange(n, dtype=float), np.array(labels, dtype=int), np.arange(n), seed=0) == Intervals()


def test_one_anomaly_still_gives_an_interval() -> None:
    labels = np.array([1] + [0] * 9)
    low, high = bootstrap(np.arange(10.0), labels, np.arange(10), seed=0).whole["auroc"]
    assert (low, high) == (0, 0)


def test_many_items() -> None:
    scores, labels = example(50_000)
    low, high = bootstrap(scores, labels, np.arange(50_000), seed=0).whole["auroc"]
    assert low < auroc(scores, labels) < high
    assert high - low < 0.02
