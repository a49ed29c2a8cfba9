from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import load, save
from sklearn.metrics import average_precision_score, roc_auc_score
from synthetic_patches import DIM, normal

from agentad.detectors.base import Scores, State
from agentad.detectors.judged import Judged, joined
from agentad.detectors.patch_head import PatchHead
from agentad.errors import InputError

SIDE = 6
SMALL = {"components": 8, "width": 16, "steps": 120, "fine": 2}
WAY = np.random.default_rng(7).normal(size=DIM).astype(np.float32) * 1.5


def blind(n, seed):
    """What a detector says that sees nothing."""
    local = np.random.default_rng(seed).normal(size=(n, SIDE, SIDE))
    return Scores(local.max(axis=(1, 2)), local)


def normals(n, seed):
    return Judged(normal(n, seed), blind(n, seed), np.zeros((n, SIDE, SIDE)))


def outlined(n, seed, way=WAY):
    """Normal images with a square of four patches moved one way, and where."""
    x, where = normal(n, seed), np.zeros((n, SIDE, SIDE))
    corners = np.random.default_rng(seed).integers(SIDE - 1, size=(n, 2))
    for item, marks, (i, j) in zip(x, where, corners, strict=True):
        item[i : i + 2, j : j + 2] += way
        marks[i : i + 2, j : j + 2] = 1
    return Judged(x, blind(n, seed), where)


def halved(where):
    """On a grid twice as fine."""
    return where.repeat(2, axis=1).repeat(2, axis=2)


def found(head, items=None):
    """Average precision of the map, and AUROC of the images, on new ones."""
    bad, good = items or outlined(30, 11), normals(30, 12)
    marks, clean = head.score(bad), head.score(good)
    truth = np.concatenate([halved(bad.where).ravel(), np.zeros(clean.local.size)])
    ap = average_precision_score(truth > 0, np.concatenate([marks.local.ravel(), clean.local.ravel()]))
    return ap, roc_auc_score(np.repeat([1, 0], 30), np.concatenate([marks.item, clean.item]))


@pytest.fixture(scope="module")
def known():
    return normals(60, 0)


@pytest.fixture(scope="module")
def real():
    return outlined(5, 3)


@pytest.fixture(scope="module")
def nothing(known):
    return known.take(np.arange(0))


@pytest.fixture(scope="module")
def head(known, real):
    return PatchHead(**SMALL).fit(known, real, seed=1)


def test_five_outlines_beat_none(head, known, real):
    ap, auroc = found(head)
    blind_ap, blind_auroc = found(PatchHead(**SMALL, trust=0).fit(known, real, seed=1))
    assert blind_ap < 0.2
    assert blind_auroc < 0.7
    assert ap > blind_ap + 0.4
    assert auroc > 0.95


def test_learning_is_what_does_it(known, real):
    untaught = PatchHead(**{**SMALL, "steps": 1}).fit(known, real, seed=1)
    taught = PatchHead(**SMALL).fit(known, real, seed=1)
    assert found(taught)[0] > found(untaught)[0] + 0.3


def test_outlines_may_be_finer_than_patches(known, real):
    coarse = PatchHead(**SMALL).fit(known, real, seed=1).score(known).local
    for times in (2, 3):
        finer = replace(real, where=real.where.repeat(times, axis=1).repeat(times, axis=2))
        assert np.array_equal(PatchHead(**SMALL).fit(known, finer, seed=1).score(known).local, coarse)


def test_fine_outlines_are_learned(known):
    """Of two patches side by side that move, the half of one that touches the other is anomalous."""
    x, where = normal(12, 5), np.zeros((12, 2 * SIDE, 2 * SIDE))
    x[:, :, 2] += WAY
    x[:, :, 3] += WAY[::-1]
    where[:, :, 5] = 1

    def rise(outlines):
        """From the half that does not touch it."""
        head = PatchHead(**SMALL, trust=1).fit(known, Judged(x, blind(12, 5), outlines), seed=1)
        columns = head.score(Judged(x, blind(12, 5))).local.mean(axis=(0, 1))
        return columns[5] - columns[4]

    assert rise(where) > 0.2
    assert rise(where.reshape(12, SIDE, 2, SIDE, 2).mean(axis=(2, 4))) < 0.1


def test_invented_anomalies_are_learned_from(known, real):
    other = outlined(5, 4, way=-WAY)  # real ones of another kind
    alone = PatchHead(**SMALL).fit(known, other, seed=1)
    helped = PatchHead(**SMALL).fit(known, other, outlined(40, 5), seed=1)
    assert found(helped)[0] > found(alone)[0] + 0.2


def test_invented_anomalies_alone_are_enough(known, nothing):
    assert found(PatchHead(**SMALL).fit(known, nothing, outlined(40, 5), seed=1))[1] > 0.95


def test_real_ones_get_half_of_the_anomalies_weight(known, real):
    """Two hundred invented ones that deny it do not drown five real ones."""
    denied = outlined(200, 6)
    elsewhere = replace(denied, where=np.roll(denied.where, 3, axis=(1, 2)))
    assert found(PatchHead(**SMALL).fit(known, real, elsewhere, seed=1))[1] > 0.8


def test_what_nobody_has_outlined_is_found_by_the_detector(head):
    unseen = outlined(30, 11, way=np.zeros(DIM))
    seen = replace(unseen, scores=Scores(unseen.scores.item, unseen.scores.local + 12 * unseen.where))
    assert found(head, seen)[1] > 0.95


def test_new_normals_do_not_exceed_held_out_ones_more_often_than_they_should(head):
    new = head.score(normals(200, 8)).item
    for q in (0.5, 0.9):
        assert np.mean(new > np.quantile(head.held_out.item, q)) < 1 - q + 0.05


def test_a_normal_image_is_held_out_together_with_its_group(known, real):
    """One group of normals looks like the anomalies: only networks that were told that it is normal find it so."""
    denied = outlined(20, 9)
    striking = [replace(p, scores=Scores(p.scores.item, p.scores.local + 5 * p.where)) for p in (denied, real)]
    mixed = replace(
        joined([known, replace(striking[0], where=np.zeros_like(denied.where))]),
        group=np.concatenate([np.arange(60), np.full(20, 60)]),
    )
    head = PatchHead(**SMALL, trust=1).fit(mixed, striking[1], seed=1)
    told = head.score(mixed).item  # by all networks
    assert np.median(head.held_out.item[60:]) > np.median(told[60:]) + 0.3
    parted = PatchHead(**SMALL, trust=1).fit(replace(mixed, group=None), striking[1], seed=1)
    assert np.median(parted.held_out.item[60:]) < np.median(head.held_out.item[60:]) - 0.3


def test_the_map_is_finer_than_the_patches(known, real):
    for fine in (1, 3):
        scores = PatchHead(**{**SMALL, "fine": fine}).fit(known, real, seed=1).score(known)
        assert scores.local.shape == (60, fine * SIDE, fine * SIDE)


def test_an_image_is_judged_alone(head):
    items = outlined(4, 10)
    assert np.array_equal(head.score(items).local[2:3], head.score(items.take(np.array([2]))).local)


def test_same_seed_same_scores(head, known, real):
    again, other = (PatchHead(**SMALL).fit(known, real, seed=seed) for seed in (1, 2))
    assert np.array_equal(again.score(known).local, head.score(known).local)
    assert np.array_equal(again.held_out.item, head.held_out.item)
    assert not np.array_equal(other.score(known).local, head.score(known).local)


def test_restored_it_scores_the_same(head, known):
    state = head.state()
    back = PatchHead.restore(State(load(save(dict(state.arrays))), state.settings))
    assert np.array_equal(back.score(known).local, head.score(known).local)
    assert np.array_equal(back.score(known).item, head.score(known).item)


def refused(message, *parts):
    with pytest.raises(InputError) as caught:
        PatchHead(**SMALL).fit(*parts)
    assert str(caught.value) == message


def test_anomalies_have_to_be_outlined(known, real):
    refused(
        "5 anomalies are not outlined, and a patch head learns from outlines. Give a mask for each of them, or use the "
        "detector without a head.",
        known,
        replace(real, where=None),
    )
    refused(
        "the masks of 5 anomalies mark no patch; check that they are masks of these images",
        known,
        replace(real, where=np.zeros_like(real.where)),
    )
    refused(
        "outlines of shape (5, 5, 6) for patches of (5, 6, 6); give one value a patch, or 2 x 2",
        known,
        replace(real, where=real.where[:, 1:]),
    )


def test_there_has_to_be_something_to_learn_from(known, real, nothing):
    refused("a head learns from normal images and anomalies, got 60 and 0", known, nothing)
    refused("a head learns from normal images and anomalies, got 0 and 5", nothing, real)
    refused(
        "cross-fitting needs items of at least 2 groups, got 1 items of 1. Add normal items.",
        known.take(np.arange(1)),
        real,
    )
    refused(
        "the unsupervised detector gives no map of scores; use one for images, such as bank-diffusion",
        replace(known, scores=Scores(known.scores.item)),
        real,
    )
