import numpy as np
import pytest

from agentad.errors import AgentadError
from agentad.loop.gate import decide, false_alarms, least_groups, level_of, no_harm
from agentad.metrics.pixels import tally


def _scores(anomalies, normals=40, gain=1.0):
    """A detector that sees nothing, and one that puts all anomalies on top."""
    labels = np.repeat([1, 0], [anomalies, normals])
    before = np.concatenate([np.linspace(0.4, 0.6, anomalies), np.linspace(0, 1, normals)])
    return before, before + gain * labels, labels, np.arange(anomalies + normals)


def test_a_real_improvement_is_adopted():
    found = decide(*_scores(8), metric="auroc", seed=0)
    assert found.adopted
    assert (found.anomalies, found.normals) == (8, 40)
    assert found.after == 1 > found.before
    assert found.p_value <= 0.05 < found.interval[0]
    assert found.why == (
        "auroc 0.500 to 1.000 (difference +0.372 to +0.625), p 0.0039, on 8 real anomalies and 40 normal items: "
        "better by real evidence at level 0.05."
    )


def test_the_reverse_is_not():
    before, after, labels, groups = _scores(8)
    found = decide(after, before, labels, groups, metric="auroc", seed=0)
    assert not found.adopted
    assert found.why.endswith("on 8 real anomalies and 40 normal items: not better.")


def test_noise_is_not_shown_to_be_better():
    rng = np.random.default_rng(0)
    before, _, labels, groups = _scores(20)
    after = before + 0.2 * rng.normal(size=60) + 0.1 * labels
    found = decide(before, after, labels, groups, metric="auroc", seed=0)
    assert found.after > found.before
    assert not found.adopted
    assert found.why.endswith("not shown to be better at level 0.05.")


@pytest.mark.parametrize("anomalies", [1, 2, 4])
def test_too_few_anomalies_cannot_prove_anything(anomalies):
    found = decide(*_scores(anomalies), metric="auroc", seed=0)
    assert not found.adopted
    word = "anomaly" if anomalies == 1 else "anomalies"
    assert found.why.endswith(
        f"{anomalies} independent real {word} cannot prove anything at level 0.05, whatever the scores; "
        "it takes at least 5."
    )


def test_photographs_of_one_defect_are_one_anomaly():
    before, after, labels, groups = _scores(12)
    groups[:12] //= 6
    found = decide(before, after, labels, groups, metric="auroc", seed=0)
    assert not found.adopted
    assert "on 12 real anomalies in 2 groups and 40 normal items: 2 independent real anomalies cannot" in found.why


def test_without_anomalies_or_normals_it_says_what_is_missing():
    before, after, labels, groups = _scores(6)
    none = decide(before[6:], after[6:], labels[6:], groups[6:], metric="ap", seed=0)
    assert (none.adopted, none.normals) == (False, 40)
    assert none.why == "There is no real anomaly that ap could be told by, so nothing can be proven."
    alone = decide(before[:6], after[:6], labels[:6], groups[:6], metric="ap", seed=0)
    assert alone.why == "There is no real normal item that ap could be told by, so nothing can be proven."


def test_unknown_items_have_no_say():
    before, after, labels, groups = _scores(8)
    known = decide(before, after, labels, groups, metric="auroc", seed=0)
    more = [np.concatenate([one, one[:5]]) for one in (before, after, labels, groups)]
    more[2][48:] = -1
    assert decide(*more, metric="auroc", seed=0) == known


def test_rounds_share_the_level():
    assert [level_of(0.05), level_of(0.06, rounds=3, number=2)] == pytest.approx([0.05, 0.02])
    assert [level_of(0.05, rounds=None, number=k) for k in (1, 2, 3)] == pytest.approx([0.025, 0.0125, 0.00625])
    assert [least_groups(level) for level in (0.05, 0.05 / 3, 0.025, 0.5, 0.25)] == [5, 6, 6, 1, 2]
    assert decide(*_scores(5), metric="auroc", seed=0).adopted
    third = decide(*_scores(5), metric="auroc", seed=0, rounds=3, number=3)
    assert not third.adopted
    assert third.why.endswith("cannot prove anything at level 0.017, whatever the scores; it takes at least 6.")
    enough = decide(*_scores(8), metric="auroc", seed=0, rounds=3, number=3)
    assert enough.why.endswith("better by real evidence at level 0.017, this round's part of 0.05.")


@pytest.mark.parametrize(("level", "rounds", "number"), [(0, 1, 1), (1.0, 1, 1), (0.05, 2, 3), (0.05, None, 0)])
def test_a_level_out_of_range_is_refused(level, rounds, number):
    with pytest.raises(AgentadError) as caught:
        level_of(level, rounds=rounds, number=number)
    assert str(caught.value) == (
        f"gate: level {level:g}, round {number} of {rounds}: give 0 < level < 1, 1 <= round <= rounds"
    )


def test_false_alarms_veto():
    before, after, labels, groups = _scores(8)
    quiet = decide(before, after, labels, groups, metric="auroc", seed=0, thresholds=(0.95, 0.95))
    assert quiet.adopted
    loud = decide(before, after, labels, groups, metric="auroc", seed=0, thresholds=(0.95, 0.5))
    assert not loud.adopted
    assert loud.why.endswith(
        "better, but of 40 normal items 2 were flagged before and 20 by the candidate (p 3.8e-06 of more)."
    )


def test_worse_maps_veto_better_ranks():
    before, after, labels, groups = _scores(8, 12)
    rng = np.random.default_rng(0)
    masks = np.zeros((20, 16, 16), bool)
    masks[:8, 4:9, 5:11] = True
    blind = rng.normal(size=masks.shape).astype(np.float32)
    seeing = blind + 2 * masks.astype(np.float32)
    told = [tally(20, lambda i, own=own: own[i], lambda i: masks[i]) for own in (seeing, blind)]
    found = decide(before, after, labels, groups, metric="auroc", seed=0, pixels=(told[0], told[1]))
    assert not found.adopted
    assert ": better, but worse in pixel_ap: 0." in found.why
    assert decide(before, after, labels, groups, metric="auroc", seed=0, pixels=(told[1], told[0])).adopted
    assert decide(before, after, labels, groups, metric="pixel_ap", seed=0, pixels=(told[1], told[0])).adopted


def test_maps_of_unknown_items_are_refused():
    before, after, labels, groups = _scores(8)
    labels[0] = -1
    with pytest.raises(AgentadError, match="tally only those of known label"):
        decide(before, after, labels, groups, metric="pixel_ap", seed=0, pixels=(None, None))


def test_without_any_anomaly_nothing_is_proven_and_harm_is_refused():
    normals = np.linspace(0, 1, 40)
    fine = no_harm(normals, normals * 3, np.arange(40), (0.95, 2.85))
    assert fine.adopted
    assert (fine.metric, fine.before, fine.after, fine.normals, fine.anomalies, fine.p_value) == (
        *("false_alarm_rate", 0.05, 0.05, 40, 0, None),
    )
    assert fine.why == (
        "There is no real anomaly to try it on, so nothing can be proven. Of 40 normal items, 2 were flagged before "
        "and 2 by the candidate (p 1 of more); it was adopted because normal items do not get demonstrably worse, not "
        "because it is better."
    )
    worse = no_harm(normals, normals, np.arange(40), (0.95, 0.5))
    assert not worse.adopted
    assert worse.why.endswith(
        "2 were flagged before and 20 by the candidate (p 3.8e-06 of more), so it was not adopted."
    )


def test_a_candidate_that_says_nothing_is_no_candidate():
    flat = no_harm(np.linspace(0, 1, 40), np.zeros(40), np.arange(40), (0.95, 1.0))
    assert not flat.adopted
    assert flat.why.endswith("the candidate says the same of all of them, so it was not adopted.")


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        (np.zeros(0), "gate: no normal items that were not learned from; keep some back"),
        (np.array([1.0, np.inf]), "gate: scores of normal items hold values that are not finite"),
    ],
)
def test_no_harm_needs_normals(scores, message):
    with pytest.raises(AgentadError) as caught:
        no_harm(scores, scores, np.arange(len(scores)), (0.5, 0.5))
    assert str(caught.value) == message


def test_a_group_of_normals_flagged_together_counts_once():
    before, after = np.zeros(40), np.repeat([1.0, 0.0], 20)
    assert false_alarms(before, after, np.arange(40), (0.5, 0.5)).p_value == pytest.approx(2.0**-20)
    assert false_alarms(before, after, np.arange(40) // 20, (0.5, 0.5)).p_value == 0.5


def test_useless_candidates_are_adopted_at_most_as_often_as_the_level_says():
    rng = np.random.default_rng(0)
    labels = np.repeat([1, 0], [8, 40])
    adopted = 0
    for seed in range(150):
        base = rng.normal(size=48) + 1.5 * labels
        before, after = (base + rng.normal(size=48) / 2 for _ in range(2))
        adopted += decide(before, after, labels, np.arange(48), metric="auroc", seed=seed, level=0.1).adopted
    assert 1 <= adopted <= 22  # 15 expected at most; 22 is two standard errors above
