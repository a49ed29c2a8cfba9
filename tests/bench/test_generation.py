from dataclasses import replace

import numpy as np
import pytest

from agentad.bench.generation import kernel_distance, told
from agentad.detectors.base import Scores
from agentad.detectors.judged import Judged
from agentad.flow import Brief, SyntheticImage
from agentad.loop.workshop import Made, Real

SIDE = 4
RNG = np.random.default_rng(0)
NORMAL = RNG.normal(size=(40, SIDE, SIDE, 3)).astype(np.float32)


def anomalies(kinds, seed):
    """One marked patch each, whose features say the type and whose score is high."""
    rng = np.random.default_rng(seed)
    n = len(kinds)
    x = rng.normal(size=(n, SIDE, SIDE, 3)).astype(np.float32)
    where = np.zeros((n, SIDE, SIDE), np.float32)
    where[:, 1, 2] = 1
    x[:, 1, 2] = [[9, 0, 0] if kind == "a" else [0, 9, 0] for kind in kinds] + rng.normal(0, 0.5, size=(n, 3))
    local = np.abs(rng.normal(size=(n, SIDE, SIDE))).astype(np.float32)
    local[:, 1, 2] = 50
    return Judged(x, Scores(local.max(axis=(1, 2)), local), where)


def real(known):
    local = np.abs(RNG.normal(size=(40, SIDE, SIDE))).astype(np.float32)
    normal = Judged(NORMAL, Scores(local.max(axis=(1, 2)), local), np.zeros((40, SIDE, SIDE), np.float32))
    kinds = np.array(["a", "b"] * (len(known) // 2), object)
    return Real(normal, known, np.arange(40), 40 + np.arange(len(known)), kinds, np.arange(40) < 20)


def made(judged, sources):
    origins = [
        SyntheticImage(id=str(i), kind="a", anomaly=source, normal="n", brief=Brief(), attempts=1, tool="t", seed=0)
        for i, source in enumerate(sources)
    ]
    return Made(judged, tuple(origins), None, {"type": 2}, 1)


def said(judged, sources, known=None):
    kinds = ["a", "b"] * 10
    unseen = anomalies(kinds, 1)
    whole = real(anomalies(["a", "b"] * 8, 2) if known is None else known)
    return told(made(judged, sources), whole, unseen, np.ones(20, int), np.array(kinds, object))["generation"]


def test_the_kernel_distance_by_its_formula():
    x, y = np.array([[1.0, 0.0], [0.0, 2.0], [1.0, 1.0]]), np.array([[0.0, 1.0], [2.0, 1.0]])

    def k(a, b):
        return (a @ b / 2 + 1) ** 3

    within_x = np.mean([k(x[i], x[j]) for i in range(3) for j in range(3) if i != j])
    within_y = k(y[0], y[1])
    between = np.mean([k(a, b) for a in x for b in y])
    assert kernel_distance(x, y) == pytest.approx(within_x + within_y - 2 * between)


def test_what_is_like_unseen_anomalies_is_nearer_to_them_than_what_is_not():
    alike = said(anomalies(["a", "b"] * 6, 3), list("pq" * 6))
    lopsided = said(anomalies(["a"] * 12, 3), list("pp" * 6))
    assert abs(alike["kernel_distance"]) < 0.3 * lopsided["kernel_distance"]
    assert abs(alike["kernel_distance_known"]) < 0.5 * lopsided["kernel_distance"]
    assert alike["diversity"] == pytest.approx(1, abs=0.3)  # of one source each type: as far apart as real ones
    assert alike["nearest_real"] == pytest.approx(1, abs=0.4)
    assert (alike["visible"], alike["visible_real"], alike["copies"]) == (1.0, 1.0, 0.0)
    assert (alike["made"], alike["rejected"], alike["dropped"]) == (12, {"type": 2}, 1)


def test_copies_are_told():
    known = anomalies(["a", "b"], 2)
    copied = said(known.take(np.array([0, 1] * 4)), list("pq" * 4), known)
    assert (copied["copies"], copied["diversity"]) == (1.0, 0.0)
    assert copied["nearest_real"] == pytest.approx(0, abs=1e-6)


def test_outlines_may_be_finer_than_patches():
    coarse = anomalies(["a", "b"] * 4, 3)
    fine = replace(coarse, where=coarse.where.repeat(3, axis=1).repeat(3, axis=2))
    known = anomalies(["a", "b"] * 8, 2)
    known = replace(known, where=known.where.repeat(3, axis=1).repeat(3, axis=2))
    assert said(fine, list("pq" * 4), known) == said(coarse, list("pq" * 4))


def test_what_cannot_be_seen_is_told():
    faint = anomalies(["a", "b"] * 4, 3)
    local = np.zeros_like(faint.scores.local)
    hidden = Judged(faint.x, Scores(local.max(axis=(1, 2)), local), faint.where)
    assert said(hidden, list("pq" * 4))["visible"] == 0.0


def test_without_a_known_anomaly_nothing_is_near_one():
    none = anomalies(["a", "b"], 2).take(np.arange(0))
    none = replace(none, where=none.where.repeat(3, axis=1).repeat(3, axis=2))
    found = said(anomalies(["a", "b"] * 4, 3), [None] * 8, none)
    assert not {"nearest_real", "copies", "kernel_distance_known"} & found.keys()


def test_rows_are_compared_by_their_columns():
    def rows(n, seed, at):
        x = np.random.default_rng(seed).normal(size=(n, 2)) * [1, 1000] + [at, 1000 * at]
        return Judged(x.astype(np.float32), Scores(np.abs(x).sum(axis=1)))

    normal, known = rows(40, 0, 0), rows(4, 1, 8)
    whole = Real(normal, known, np.arange(40), np.arange(4), np.full(4, "", object), np.arange(40) < 20)
    found = [
        told(made(rows(10, 2, at), ["p"] * 10), whole, rows(20, 3, 8), np.ones(20, int), np.full(20, "", object))
        for at in (8, 4)
    ]
    near, far = (one["generation"] for one in found)
    assert abs(near["kernel_distance"]) < far["kernel_distance"] / 10
    assert near["nearest_real"] < far["nearest_real"]
