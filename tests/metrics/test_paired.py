import numpy as np
import pytest

from agentad.errors import AgentadError
from agentad.metrics.paired import METRICS, compare
from agentad.metrics.pixels import tally
from agentad.metrics.ranking import ap, auroc, by_type

LABELS = np.repeat([1, 0], [8, 40])


@pytest.fixture
def two():
    """Two noisy looks of a detector at the same 8 anomalies and 40 normal items."""
    rng = np.random.default_rng(0)
    base = rng.normal(size=48) + 1.5 * LABELS
    return base + rng.normal(size=48) / 2, base + rng.normal(size=48) / 2


def test_before_and_after_are_the_metric(two):
    for name, measure in (("auroc", auroc), ("ap", ap)):
        found = compare(*two, LABELS, np.arange(48), metric=name)
        assert found.before == pytest.approx(measure(two[0], LABELS))
        assert found.after == pytest.approx(measure(two[1], LABELS))
        assert found.interval[0] < found.after - found.before < found.interval[1]
        assert (found.anomalies, found.groups, found.normals) == (8, 8, 40)


def test_only_the_order_of_each_detectors_scores_counts(two):
    own = compare(*two, LABELS, np.arange(48), metric="auroc")
    assert compare(two[0], np.exp(two[1]) * 1000, LABELS, np.arange(48), metric="auroc") == own


def test_the_same_order_is_no_evidence_either_way(two):
    found = compare(two[0], np.tanh(two[0]), LABELS, np.arange(48), metric="auroc")
    assert (found.better, found.worse, found.interval) == (1.0, 1.0, (0.0, 0.0))


def test_exchanging_the_detectors_exchanges_the_p_values(two):
    there = compare(*two, LABELS, np.arange(48), metric="auroc")
    back = compare(*two[::-1], LABELS, np.arange(48), metric="auroc")
    assert (there.better, there.worse) == pytest.approx((back.worse, back.better))


@pytest.mark.parametrize(("anomalies", "least"), [(1, 1.0), (3, 1 / 8), (5, 1 / 32), (8, 1 / 256)])
def test_k_anomalies_cannot_say_more_than_one_in_two_to_the_k(anomalies, least):
    labels = np.repeat([1, 0], [anomalies, 40])
    before = np.concatenate([np.linspace(0.4, 0.6, anomalies), np.linspace(0, 1, 40)])
    found = compare(before, before + labels, labels, np.arange(len(labels)), metric="auroc")
    assert found.after == 1
    assert found.better == pytest.approx(least, rel=0.01)


def test_copies_of_an_anomaly_in_one_group_are_no_further_evidence():
    labels = np.repeat([1, 0], [30, 40])
    groups = np.concatenate([np.arange(30) // 10, 100 + np.arange(40)])
    before = np.concatenate([np.linspace(0.4, 0.6, 30), np.linspace(0, 1, 40)])
    assert compare(before, before + labels, labels, groups, metric="auroc").better == pytest.approx(1 / 8)
    assert compare(before, before + labels, labels, np.arange(70), metric="auroc").better < 1e-4


def test_few_normal_items_that_move_all_anomalies_at_once_are_no_proof():
    """Every anomaly gains, and all of them by the same two normal items, of which the next sample may hold none."""
    labels = np.repeat([1, 0], [12, 40])
    before = np.concatenate([np.full(12, 5.0), np.linspace(0, 1, 38), [9.0, 9.0]])
    after = np.concatenate([np.full(12, 5.0), np.linspace(0, 1, 40)])
    found = compare(before, after, labels, np.arange(52), metric="auroc")
    assert found.after - found.before == pytest.approx(0.05)
    assert 0.05 < found.better < 0.2


def test_macro_gives_each_type_the_same_say(two):
    kinds = ["scratch"] * 6 + ["dent"] * 2 + [""] * 40
    found = compare(*two, LABELS, np.arange(48), metric="macro_auroc", kinds=kinds)
    assert found.before == pytest.approx(np.mean(list(by_type(two[0], LABELS, kinds).values())))
    assert found.after == pytest.approx(np.mean(list(by_type(two[1], LABELS, kinds).values())))


def test_a_group_may_hold_both_classes(two):
    groups = np.arange(48)
    groups[[0, 8, 9]] = 0
    found = compare(*two, LABELS, groups, metric="auroc")
    assert (found.groups, found.anomalies) == (8, 8)
    assert np.isfinite([found.better, found.worse, *found.interval]).all()


def test_many_groups_are_left_out_some_at_a_time():
    rng = np.random.default_rng(1)
    labels = np.repeat([1, 0], [310, 400])
    base = rng.normal(size=710)
    before, after = base + labels, base + 1.3 * labels
    assert compare(before, after, labels, np.arange(710), metric="auroc").better < 1e-4
    assert compare(after, before, labels, np.arange(710), metric="auroc").worse < 1e-4


@pytest.fixture(scope="module")
def maps():
    """10 images of 16 by 16 with a defect, the last of which has no mask, and 12 without; two detectors' maps."""
    rng = np.random.default_rng(0)
    labels = np.repeat([1, 0], [10, 12])
    masks = np.zeros((22, 16, 16), bool)
    masks[:10, 4:9, 5:11] = True
    first = rng.normal(size=masks.shape) + masks
    second = first * 10 + 8 * masks
    told = [None if i == 9 else mask for i, mask in enumerate(masks)]
    kinds = ["a"] * 4 + ["b"] * 6 + [None] * 12
    both = tuple(
        tally(22, lambda i, own=own: own[i].astype(np.float32), lambda i: told[i], kinds) for own in (first, second)
    )
    return labels, kinds, both


@pytest.mark.parametrize("metric", [name for name in METRICS if "pixel" in name or "aupro" in name])
def test_pixels_are_counted_over_images(maps, metric):
    labels, kinds, both = maps
    scores, groups = np.zeros(22), np.arange(22)
    found = compare(scores, scores, labels, groups, metric=metric, kinds=[k or "" for k in kinds], pixels=both)
    assert found.after > found.before + 0.05
    assert (found.anomalies, found.groups, found.normals) == (9, 9, 12)
    assert found.better == pytest.approx(1 / 512, rel=0.01)
    assert 0 < found.interval[0] <= found.after - found.before <= found.interval[1]
    pair = both[::-1]
    back = compare(scores, scores, labels, groups, metric=metric, kinds=[k or "" for k in kinds], pixels=pair)
    assert back.worse == pytest.approx(found.better, rel=0.1)
    assert back.better > 0.5


def test_without_both_classes_nothing_is_said(two):
    for label in (0, 1):
        assert compare(*two, np.full(48, label), np.arange(48), metric="auroc") is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"metric": "f2"}, f"metric 'f2': give one of {', '.join(METRICS)}"),
        ({"metric": "aupro"}, "metric aupro: needs the score maps of both detectors and the masks"),
        ({"metric": "macro_ap"}, "metric macro_ap: no anomaly has a type; use ap"),
        ({"before": np.full(48, np.nan)}, "scores to compare hold values that are not finite"),
    ],
)
def test_what_cannot_be_compared_is_refused(two, change, message):
    options = {"before": two[0], "after": two[1], "metric": "auroc"} | change
    with pytest.raises(AgentadError) as caught:
        compare(labels=LABELS, groups=np.arange(48), **options)
    assert str(caught.value) == message


def test_the_same_seed_gives_the_same_answer(two):
    own = [compare(*two, LABELS, np.arange(48), metric="ap", seed=3) for _ in range(2)]
    assert own[0] == own[1]


def test_a_fold_is_one_piece_of_evidence():
    """The model of one fold in five happens to put its normal items far below, where all anomalies gain by it."""
    labels = np.repeat([1, 0], [20, 50])
    folds = np.concatenate([np.arange(20) % 5, np.arange(50) % 5])
    before = np.concatenate([np.full(20, 0.5), np.linspace(0, 1, 50)])
    after = before - 2.0 * ((labels == 0) & (folds == 0))
    apart = compare(before, after, labels, np.arange(70), metric="auroc")
    inside = compare(before, after, labels, np.arange(70), metric="auroc", folds=folds)
    assert apart.better < 0.05 < inside.better
    none = compare(before, after, labels, np.arange(70), metric="auroc", folds=np.full(70, -1))
    assert none == apart
    assert compare(before, after, labels, np.arange(70), metric="auroc", folds=np.zeros(70, int)).better == 1.0


def test_normal_items_may_be_scored_by_no_fold_in_particular():
    labels = np.repeat([1, 0], [20, 50])
    folds = np.concatenate([np.arange(20) % 5, np.full(50, -1)])
    before = np.concatenate([np.linspace(0.4, 0.6, 20), np.linspace(0, 1, 50)])
    found = compare(before, before + labels, labels, np.arange(70), metric="auroc", folds=folds)
    assert found.better < 0.001
