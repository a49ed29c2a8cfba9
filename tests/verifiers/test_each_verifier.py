import numpy as np
import pytest
from small_world import SIDE, World, anomalous_image, normal_image, rows_world

from agentad.detectors.base import Scores
from agentad.detectors.judged import Judged
from agentad.verifiers.agreement import Agreement
from agentad.verifiers.base import Candidates
from agentad.verifiers.kind import Kind
from agentad.verifiers.placement import Placement
from agentad.verifiers.realism import Realism
from agentad.verifiers.visibility import Visibility


@pytest.fixture(scope="module")
def world():
    return World()


@pytest.fixture(scope="module")
def fresh(world):
    """Anomalies that nothing has learned from."""
    rng = np.random.default_rng(7)
    kinds = ["rust", "paint"] * 3
    drawn = [anomalous_image(rng, kind) for kind in kinds]
    return world.candidates(kinds, *(list(part) for part in zip(*drawn, strict=True)))


def remarked(world, items, masks):
    return world.candidates(items.kind, items.images, masks, items.bases)


def moved(masks):
    """The masks, flipped to where they were not."""
    return [
        next(new for new in (m[::-1], m[:, ::-1], np.roll(m, 20, 0), np.roll(m, -20, 0)) if not (new & m).any())
        for m in masks
    ]


def test_visibility_is_one_at_the_95th_percentile_of_normals_at_the_same_place(world, fresh):
    verifier = Visibility().fit(world.normal, world.real)
    mask = fresh.masks[0]
    same = world.candidates([""] * len(world.normal), world.normal.images, [mask] * len(world.normal))
    held_out = Candidates(
        Judged(same.judged.x, world.normal.judged.scores, same.judged.where), same.kind, same.images, same.masks
    )
    assert np.mean(verifier.measure(held_out) > 1) == pytest.approx(0.05, abs=0.04)
    assert np.median(verifier.measure(held_out)) == pytest.approx(0, abs=1e-9)


def test_visibility_sees_anomalies_where_they_are_only(world, fresh):
    verifier = Visibility().fit(world.normal, world.real)
    assert verifier.measure(fresh).min() > 3
    assert verifier.measure(remarked(world, fresh, moved(fresh.masks))).max() < 3
    empty = remarked(world, fresh, [np.zeros((SIDE, SIDE), bool)] * len(fresh))
    assert np.isnan(verifier.measure(empty)).all()


def test_visibility_of_rows_is_their_score_on_the_scale_of_normals():
    normal, real, _ = rows_world()
    verifier = Visibility().fit(normal, real)
    assert np.mean(verifier.measure(normal) > 1) == pytest.approx(0.05, abs=0.02)
    assert verifier.measure(real).min() > 3


def test_realism_prefers_anomalies_like_those_known_to_noise(world, fresh):
    rng = np.random.default_rng(3)
    noise = [
        np.where(m[..., None], rng.integers(0, 256, (SIDE, SIDE, 3)), i)
        for i, m in zip(fresh.images, fresh.masks, strict=True)
    ]
    garbage = world.candidates(fresh.kind, [n.astype(np.uint8) for n in noise], fresh.masks)
    verifier = Realism().fit(world.normal, world.real)
    assert verifier.measure(fresh).min() > 1.5 * verifier.measure(garbage).max()
    alone = Realism().fit(world.normal, world.real.take(np.zeros(0, np.int64)))
    assert (alone.measure(fresh) <= verifier.measure(fresh)).all()
    assert (alone.measure(fresh) < 2 * verifier.measure(fresh)).any()


def test_realism_of_rows():
    normal, real, _ = rows_world()
    verifier = Realism().fit(normal, real.take(np.arange(0, 12, 2)))
    x = np.random.default_rng(1).choice([-40.0, 40.0], (6, 5))
    garbage = Candidates(Judged(x, Scores(np.zeros(6))), np.full(6, "", object))
    assert verifier.measure(real.take(np.arange(1, 12, 2))).min() > verifier.measure(garbage).max()


def test_the_claimed_type_is_nearest_and_another_is_not(world, fresh):
    verifier = Kind().fit(world.normal, world.real)
    right = verifier.measure(fresh)
    other = {"rust": "paint", "paint": "rust"}
    wrong = world.candidates([other[k] for k in fresh.kind], fresh.images, fresh.masks)
    assert right.min() > 0
    np.testing.assert_allclose(verifier.measure(wrong), -right)


@pytest.mark.parametrize("kind", ["", "scratch"])
def test_type_abstains_on_what_it_does_not_know(world, fresh, kind):
    verifier = Kind().fit(world.normal, world.real)
    claims = world.candidates([kind] * len(fresh), fresh.images, fresh.masks)
    assert np.isnan(verifier.measure(claims)).all()


def test_one_type_is_never_the_wrong_one(world, fresh):
    assert np.isnan(Kind().fit(world.normal, world.real.take(np.arange(6))).measure(fresh)).all()
    assert np.isnan(Kind().fit(world.normal, world.real.take(np.arange(0))).measure(fresh)).all()


def test_types_of_rows():
    normal, real, _ = rows_world()
    verifier = Kind().fit(normal, real.take(np.arange(0, 12, 2)))
    assert verifier.measure(real.take(np.arange(1, 12, 2))).min() > 0


def test_placement_is_the_share_of_the_mask_on_the_object(world, fresh):
    verifier = Placement().fit(world.normal, world.real)
    assert verifier.measure(fresh).min() > 0.99
    off = np.zeros((SIDE, SIDE), bool)
    off[:6, :6] = True
    half = np.zeros((SIDE, SIDE), bool)
    half[20:40, :26] = True  # the object begins at 12
    values = verifier.measure(world.candidates(["", ""], fresh.images[:2], [off, half]))
    assert values[0] == 0
    assert values[1] == pytest.approx(14 / 26, abs=0.1)


def test_placement_counts_the_base_where_a_part_went_missing(world):
    base = normal_image(np.random.default_rng(0))
    mask = np.zeros((SIDE, SIDE), bool)
    mask[12:32, 12:52] = True
    image = np.where(mask[..., None], 0, base).astype(np.uint8)
    verifier = Placement().fit(world.normal, world.real)
    assert verifier.measure(world.candidates([""], [image], [mask], [base]))[0] > 0.99
    assert verifier.measure(world.candidates([""], [image], [mask]))[0] < 0.5


def test_placement_abstains_where_the_object_fills_the_image(world, fresh):
    rng = np.random.default_rng(0)
    images = [np.clip(rng.normal(120, 5, (SIDE, SIDE, 3)), 0, 255).astype(np.uint8) for _ in range(6)]
    surface = world.candidates([""] * 6, images, [np.zeros((SIDE, SIDE), bool)] * 6)
    assert np.isnan(Placement().fit(surface, world.real).measure(fresh)).all()


@pytest.mark.parametrize(
    ("mask", "low", "high"),
    [
        ((20, 30, 20, 30), 0.99, 1.0),
        ((21, 30, 20, 29), 0.7, 1.0),
        ((15, 35, 15, 35), 0.15, 0.45),
        ((20, 25, 20, 25), 0.2, 0.6),
        ((40, 50, 40, 50), 0.0, 0.0),
    ],
)
def test_agreement_is_how_mask_and_change_overlap(world, mask, low, high):
    base = normal_image(np.random.default_rng(0))
    image = base.copy()
    image[20:30, 20:30] = 255
    marked = np.zeros((SIDE, SIDE), bool)
    marked[mask[0] : mask[1], mask[2] : mask[3]] = True
    value = Agreement().measure(world.candidates([""], [image], [marked], [base]))[0]
    assert low <= value <= high


def test_agreement_without_change_is_none_and_without_base_unknown(world, fresh):
    still = world.candidates(fresh.kind, fresh.bases, fresh.masks, fresh.bases)
    assert Agreement().measure(still).tolist() == [0.0] * len(fresh)
    assert Agreement().measure(fresh).min() > 0.9
    real = world.candidates(fresh.kind, fresh.images, fresh.masks)
    assert np.isnan(Agreement().measure(real)).all()


@pytest.mark.parametrize("verifier", [Placement(), Agreement()])
def test_rows_have_no_places(verifier):
    normal, real, _ = rows_world()
    assert np.isnan(verifier.fit(normal, real).measure(real)).all()
