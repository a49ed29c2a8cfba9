import numpy as np
import pytest
from safetensors.numpy import load, save
from sklearn.metrics import average_precision_score

from agentad.detectors.base import Scores, State
from agentad.detectors.empirical_denoiser import EmpiricalDenoiser
from agentad.detectors.few_label import FewLabelHead
from agentad.detectors.judged import Judged
from agentad.detectors.tails import Tails
from agentad.errors import InputError


def normals(n, seed):
    return np.random.default_rng(seed).normal(size=(n, 4)).astype(np.float32)


def planted(n, seed):
    """Ordinary but for one kind of anomaly: column 2 a little high and column 3 a little low."""
    rows = normals(n, seed)
    rows[:, 2:] = [2.2, -2.2] + 0.2 * rows[:, 2:]
    return rows


@pytest.fixture(scope="module")
def base():
    return EmpiricalDenoiser().fit(normals(400, 0))


@pytest.fixture(scope="module")
def known(base):
    return Judged(normals(400, 0), base.held_out)


def judged(base, rows):
    return Judged(rows, base.score(rows))


@pytest.fixture(scope="module")
def test_rows(base):
    return judged(base, np.concatenate([normals(400, 1), planted(60, 2)])), np.repeat([0, 1], [400, 60])


@pytest.fixture(scope="module")
def head(base, known):
    return FewLabelHead(trees=60).fit(known, judged(base, planted(5, 3)), seed=1)


def test_five_labels_beat_none(head, test_rows):
    rows, label = test_rows
    few = average_precision_score(label, head.score(rows).item)
    assert few > average_precision_score(label, rows.scores.item) + 0.05
    assert few > 0.9


def test_invented_rows_are_learned_from(base, known, test_rows):
    rows, label = test_rows
    ordinary = judged(base, normals(3, 4) + np.array([0, 0, 0, 8]))  # real ones of another kind
    alone = FewLabelHead(trees=60).fit(known, ordinary, seed=1)
    helped = FewLabelHead(trees=60).fit(known, ordinary, judged(base, planted(100, 5)), seed=1)
    assert average_precision_score(label, helped.score(rows).item) > 0.05 + average_precision_score(
        label, alone.score(rows).item
    )


def test_invented_rows_alone_are_enough(base, known, test_rows):
    rows, label = test_rows
    nothing = Judged(known.x[:0], known.scores.take(np.arange(0)))
    head = FewLabelHead(trees=60).fit(known, nothing, judged(base, planted(100, 5)), seed=1)
    assert average_precision_score(label, head.score(rows).item) > 0.9


def test_held_out_scores_are_like_those_of_new_normals(head, base):
    new = head.score(judged(base, normals(400, 7))).item
    for q in (0.5, 0.9):
        assert np.mean(new > np.quantile(head.held_out.item, q)) == pytest.approx(1 - q, abs=0.08)


def test_without_trust_a_row_is_as_rare_as_the_detector_finds_it(base, known, test_rows):
    rows, _ = test_rows
    head = FewLabelHead(trees=10, trust=0).fit(known, judged(base, planted(5, 3)), seed=1)
    tails = Tails.of(known.scores.item[:, None])
    new, own = (np.full(len(part.x), value) for part, value in ((rows, False), (known, True)))
    assert np.allclose(head.score(rows).item, tails.rarity(rows.scores.item[:, None], included=new)[:, 0])
    assert np.allclose(head.held_out.item, tails.rarity(known.scores.item[:, None], included=own)[:, 0])


def test_the_detectors_reasons_stay(head, test_rows):
    found = head.score(test_rows[0])
    assert found.local is test_rows[0].scores.local and found.expected is test_rows[0].scores.expected


def test_same_seed_same_scores(base, known, test_rows, head):
    again = FewLabelHead(trees=60).fit(known, judged(base, planted(5, 3)), seed=1)
    other = FewLabelHead(trees=60).fit(known, judged(base, planted(5, 3)), seed=2)
    scores = [one.score(test_rows[0]).item for one in (head, again, other)]
    assert np.array_equal(scores[0], scores[1]) and not np.array_equal(scores[0], scores[2])


def test_a_saved_head_scores_the_same(head, test_rows):
    state = head.state()
    restored = FewLabelHead.restore(State(load(save(state.arrays)), state.settings))
    assert np.array_equal(restored.score(test_rows[0]).item, head.score(test_rows[0]).item)


def test_no_anomaly_at_all_is_refused(known):
    nothing = Judged(known.x[:0], known.scores.take(np.arange(0)))
    with pytest.raises(InputError) as caught:
        FewLabelHead().fit(known, nothing)
    assert str(caught.value) == "a head learns from normal rows and anomalies, got 400 and 0"


def test_a_detector_without_expected_rows_is_refused(known):
    bare = Judged(known.x, Scores(known.scores.item))
    with pytest.raises(InputError) as caught:
        FewLabelHead().fit(bare, bare)
    assert str(caught.value) == "the unsupervised detector names no expected rows; use empirical-denoiser"
