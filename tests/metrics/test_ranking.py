import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentad.metrics import ap, auroc, by_type, f1max

SCORES = np.array([0.1, 0.4, 0.35, 0.8])
LABELS = np.array([0, 0, 1, 1])


def test_by_hand() -> None:
    # Pairs won: 0.35 > 0.1, 0.8 > both: 3 of 4. Ranked labels 1, 0, 1, 0: AP = (1/1 + 2/3) / 2, best F1 = 2·2/(2+3).
    assert auroc(SCORES, LABELS) == 0.75
    assert ap(SCORES, LABELS) == pytest.approx(5 / 6)
    assert f1max(SCORES, LABELS) == pytest.approx(0.8)


def test_ties_count_half() -> None:
    assert auroc(np.ones(4), LABELS) == 0.5
    assert ap(np.ones(4), LABELS) == 0.5
    assert f1max(np.ones(4), LABELS) == pytest.approx(2 / 3)


@pytest.mark.parametrize("metric", [auroc, ap, f1max])
@pytest.mark.parametrize("labels", [[0, 0], [1, 1], []])
def test_one_class_says_nothing(metric, labels) -> None:
    assert metric(np.arange(len(labels), dtype=float), np.array(labels, dtype=int)) is None


def test_by_type_compares_each_with_all_normals() -> None:
    scores = np.array([1.0, 2.0, 3.0, 0.0, 1.5])
    labels = np.array([0, 0, 1, 1, 1])
    assert by_type(scores, labels, ["", "", "crack", "hole", ""]) == {"crack": 1.0, "hole": 0.0}
    assert by_type(scores[2:], labels[2:], ["crack", "hole", ""]) == {}


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(-50, 50), st.booleans()), min_size=2, max_size=30))
def test_monotone_transforms_change_nothing(pairs: list[tuple[int, bool]]) -> None:
    scores = np.array([s for s, _ in pairs], dtype=float)
    labels = np.array([y for _, y in pairs], dtype=int)
    for metric in (auroc, ap, f1max):
        assert metric(scores, labels) == metric(np.arctan(scores / 10) * 7 - 3, labels)
