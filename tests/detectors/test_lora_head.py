"""The head on a tiny DINOv2 with random weights, below a detector that sees nothing."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from safetensors.numpy import save_file
from sklearn.metrics import roc_auc_score

from agentad.backbones import checkpoint
from agentad.backbones.dino import DinoPatches
from agentad.backbones.vit_layout import Vit, config, expected_shapes
from agentad.detectors.base import Scores, State
from agentad.detectors.judged import Judged, Pictures, joined
from agentad.detectors.lora_head import LoraHead
from agentad.errors import InputError
from agentad.store.arrays import load_state, save_state
from agentad.store.atomic import write_json

SIDE = 4
VIT = Vit(hidden=12, blocks=2, heads=2, mlp_ratio=2, patch=14, image=42)
QUICK = {"steps": 10, "rate": 0.02, "fine": 2, "share": 1.0}


@pytest.fixture
def encoder(tmp_path, monkeypatch):
    folder = tmp_path / "local" / "dinov2-small"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    save_file(
        {name: rng.normal(0, 0.3, shape).astype(np.float32) for name, shape in expected_shapes(VIT).items()},
        folder / checkpoint.WEIGHTS,
    )
    write_json(folder / checkpoint.CONFIG, config(VIT))
    checkpoint.note_source(folder, {"licence": "Apache-2.0", "origin": "a test"})
    monkeypatch.setenv("AGENTAD_WEIGHTS", str(folder.parent))
    return DinoPatches(blocks="1,2", size=14 * SIDE, dtype="float32")


def given(image):
    return image


def judged(encoder, count, seed, bright):
    rng = np.random.default_rng(seed)
    images = rng.integers(60, 100, (count, SIDE * 14, SIDE * 14, 3), dtype=np.uint8)
    where = np.zeros((count, SIDE, SIDE), np.float32)
    if bright:
        for image, own, (i, j) in zip(images, where, rng.integers(SIDE, size=(count, 2)), strict=True):
            image[14 * i : 14 * i + 14, 14 * j : 14 * j + 14] = 250
            own[i, j] = 1
    local = rng.normal(size=where.shape)
    pictures = Pictures(encoder, tuple(partial(given, image) for image in images))
    return Judged(encoder.encode(images), Scores(local.max(axis=(1, 2)), local), where, pictures=pictures)


@pytest.fixture
def known(encoder):
    return judged(encoder, 12, 0, bright=False), judged(encoder, 4, 1, bright=True)


def test_adapters_find_what_a_blind_detector_does_not(encoder, known):
    head = LoraHead(**QUICK).fit(*known, seed=1)
    bad, good = judged(encoder, 10, 5, bright=True), judged(encoder, 10, 6, bright=False)
    scores = np.concatenate([head.score(bad).item, head.score(good).item])
    assert roc_auc_score(np.repeat([1, 0], 10), scores) > 0.9
    assert head.score(bad).local.shape == (10, 2 * SIDE, 2 * SIDE)
    assert head.held_out.item.shape == (12,)


def test_without_a_share_it_is_the_patch_head(known):
    head = LoraHead(**QUICK | {"share": 0.0, "steps": 1}).fit(*known, seed=1)
    np.testing.assert_allclose(head.score(known[1]).local, head._patch.score(known[1]).local, rtol=1e-6)


def test_held_out_normals_are_judged_by_who_has_not_seen_them(known):
    """A normal image that becomes another one changes its own fold's adapter in nothing."""
    normal, real = known
    head = LoraHead(**QUICK).fit(normal, real, seed=1)
    read = list(normal.pictures.read)
    other = np.full((14 * SIDE, 14 * SIDE, 3), 250, np.uint8)
    read[0] = partial(given, other)
    changed = replace(normal, pictures=Pictures(normal.pictures.encoder, tuple(read)))
    again = LoraHead(**QUICK).fit(changed, real, seed=1)
    same = [
        all(np.array_equal(one[name], two[name]) for name in one)
        for one, two in zip(head._arrays, again._arrays, strict=True)
    ]
    assert sorted(same) == [False, True]


def test_saved_and_restored_it_scores_the_same(encoder, known, tmp_path):
    head = LoraHead(**QUICK).fit(*known, seed=1)
    state = head.state()
    save_state(tmp_path / "head", state.arrays, state.settings)
    again = LoraHead.restore(State(*load_state(tmp_path / "head")))
    for items in known:
        np.testing.assert_array_equal(again.score(items).local, head.score(items).local)


def test_the_encoder_is_left_as_it_was(encoder, known):
    normal, real = known
    LoraHead(**QUICK).fit(normal, real)
    np.testing.assert_array_equal(encoder.encode([read() for read in real.pictures.read]), real.x)


def test_features_without_images_are_refused(known):
    normal, real = known
    with pytest.raises(InputError, match="given their features alone"):
        LoraHead(**QUICK).fit(replace(normal, pictures=None), real)
    assert joined([normal, replace(real, pictures=None)]).pictures is None


def test_pictures_follow_the_items(known):
    normal, real = known
    both = joined([normal, real]).take(np.array([13, 0]))
    np.testing.assert_array_equal(both.pictures.read[0](), real.pictures.read[1]())
    np.testing.assert_array_equal(both.pictures.read[1](), normal.pictures.read[0]())
