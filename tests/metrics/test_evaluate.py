import numpy as np
import pytest

from agentad import metrics
from agentad.errors import AgentadError
from agentad.flow import Metrics
from agentad.metrics import evaluate
from agentad.metrics.evaluate import RANKING


def test_everything_at_once() -> None:
    masks = [np.zeros((4, 4), bool), np.eye(4, dtype=bool), None, np.zeros((4, 4), bool)]
    maps = [m * 1.0 if m is not None else np.ones((4, 4)) for m in masks]
    visited = []

    def map_at(i: int) -> np.ndarray:
        visited.append(i)
        return maps[i]

    result = evaluate(
        np.array([0.1, 0.9, 0.8, 0.7]),
        np.array([0, 1, 1, -1]),
        threshold=0.85,
        kinds=["", "crack", "hole", ""],
        groups=np.array([0, 1, 1, 2]),
        map_at=map_at,
        mask_at=masks.__getitem__,
    )
    assert (result.auroc, result.ap, result.f1max) == (1, 1, 1)
    assert (result.false_alarm_rate, result.recall) == (0, 0.5)
    pixels = {"pixel_auroc": 1, "pixel_ap": pytest.approx(1), "aupro": pytest.approx(1)}
    assert result.by_type == {"crack": {"auroc": 1, "ap": 1, "f1max": 1} | pixels, "hole": dict.fromkeys(RANKING, 1)}
    assert result.macro == {"auroc": 1, "ap": 1, "f1max": 1} | pixels
    assert result.without_mask == 1  # the hole
    assert (result.pixel_auroc, result.pixel_ap, result.aupro) == (1, pytest.approx(1), pytest.approx(1))
    assert set(result.intervals) == {"auroc", "ap", "f1max", "pixel_auroc", "pixel_ap", "aupro"}
    assert set(visited) == {0, 1}  # neither the unlabelled item nor the one without ground truth
    assert Metrics.model_validate_json(result.model_dump_json()) == result


def test_without_labels_nothing_is_said() -> None:
    assert evaluate(np.arange(3.0), np.full(3, -1), threshold=1.0) == Metrics()


def test_only_normal_items_give_a_false_alarm_rate() -> None:
    assert evaluate(np.arange(4.0), np.zeros(4, int), threshold=2.0) == Metrics(false_alarm_rate=0.25)


def test_an_item_at_the_threshold_is_not_flagged() -> None:
    assert evaluate(np.ones(2), np.array([0, 1]), threshold=1.0).recall == 0


def test_scores_that_are_not_finite_are_refused() -> None:
    with pytest.raises(AgentadError, match="scores hold values that are not finite"):
        evaluate(np.array([1.0, np.inf]), np.array([0, 1]))


def test_exports_are_sorted_and_there() -> None:
    assert list(metrics.__all__) == sorted(metrics.__all__, key=lambda name: (name.islower(), name))
    assert all(hasattr(metrics, name) for name in metrics.__all__)
