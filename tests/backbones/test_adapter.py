"""Adapters on a tiny DINOv2 with random weights."""

from functools import partial

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from agentad.backbones.adapter import AdaptedVit, Lessons, Teaching, transformer
from agentad.backbones.dino import DinoPatches
from agentad.backbones.filters import PatchFilters
from agentad.errors import InputError

SIDE, FINE = 4, 2
CELLS = SIDE * FINE
QUICK = Teaching(steps=12, batch=4, at_once=2, rate=0.02, readout_rate=0.05)


def given(image):
    return image


def spotted(count, seed=0):
    """Images of noise with a bright square over one patch, and which cells that is."""
    rng = np.random.default_rng(seed)
    images = rng.integers(60, 100, (count, SIDE * 14, SIDE * 14, 3), dtype=np.uint8)
    share = np.zeros((count, CELLS, CELLS), np.float32)
    for image, own, (i, j) in zip(images, share, rng.integers(SIDE, size=(count, 2)), strict=True):
        image[14 * i : 14 * i + 14, 14 * j : 14 * j + 14] = 250
        own[FINE * i : FINE * i + FINE, FINE * j : FINE * j + FINE] = 1
    return [partial(given, image) for image in images], share


def lessons(count=6):
    images, share = spotted(count)
    return Lessons(images, share, np.full(share.shape, 1 / CELLS**2), np.ones(count))


def frozen(model):
    return {n: p.detach().clone() for n, p in model.named_parameters() if not p.requires_grad}


@pytest.fixture(params=["bfloat16", "float32"])
def encoder(tiny_installed, request):
    return DinoPatches(blocks="1,3", size=14 * SIDE, dtype=request.param)


@pytest.fixture
def images():
    return [read() for read in spotted(2, seed=9)[0]]


def taught(encoder, seed=0, **how):
    model = AdaptedVit(encoder, fine=FINE, seed=seed)
    model.teach(lessons(), teaching=QUICK, seed=seed, **how)
    return model


def test_the_network_gives_what_plain_functions_give(encoder):
    """That attention's layers are modules changes no digit."""
    block = encoder.network.blocks[0]
    x = torch.randn(1, 5, 12, generator=torch.Generator().manual_seed(0)).to(block.qkv.weight.dtype)
    assert isinstance(block.qkv, nn.Linear)
    assert isinstance(block.out, nn.Linear)
    for layer in (block.qkv, block.out):
        assert torch.equal(layer(x), functional.linear(x, layer.weight, layer.bias))
        assert not layer.weight.requires_grad


def test_a_new_adapter_changes_no_feature(encoder, images):
    model = AdaptedVit(encoder, fine=FINE)
    np.testing.assert_array_equal(model.features.encode(images), encoder.encode(images))
    assert np.ptp(model.log_odds(spotted(2)[0])) == 0


def test_teaching_changes_the_adapter_alone(encoder, images):
    base = encoder.encode(images)
    model = AdaptedVit(encoder, fine=FINE)
    before, arrays = frozen(model), model.arrays()
    assert len(before) == len(list(encoder.network.parameters()))
    model.teach(lessons(), teaching=QUICK)
    assert all(torch.equal(before[name], weight) for name, weight in frozen(model).items())
    changed = {name for name, array in model.arrays().items() if not np.array_equal(array, arrays[name])}
    assert changed == set(arrays)
    assert {name.split(".")[-2] for name in arrays if name.startswith("lora.")} == {"lora_A", "lora_B"}
    assert not np.array_equal(model.features.encode(images), base)


def test_base_features_are_what_they_were(encoder, images, tmp_path):
    """The adapter lives beside the encoder: it changes nothing of it, nor of what is saved."""
    base = encoder.encode(images)
    model = taught(encoder)
    np.testing.assert_array_equal(encoder.encode(images), base)
    encoder.save(tmp_path / "saved")
    np.testing.assert_array_equal(DinoPatches.load(tmp_path / "saved").encode(images), base)
    plain = encoder.running(model.lora.unload())
    np.testing.assert_array_equal(plain.encode(images), base)


def test_it_learns(encoder):
    model, (fresh, share) = taught(encoder), spotted(8, seed=5)
    odds = model.log_odds(fresh)
    assert odds.shape == share.shape
    assert odds[share > 0].mean() > odds[share == 0].mean() + 1


def test_saved_and_taken_by_another(encoder, images, tmp_path):
    model = taught(encoder)
    encoder.save(tmp_path / "saved")
    other = AdaptedVit(DinoPatches.load(tmp_path / "saved"), fine=FINE, seed=5)
    other.take(model.arrays())
    np.testing.assert_array_equal(other.features.encode(images), model.features.encode(images))
    np.testing.assert_array_equal(other.log_odds(spotted(2)[0]), model.log_odds(spotted(2)[0]))


def test_an_adapter_of_another_rank_is_refused(encoder):
    with pytest.raises(ValueError, match="the adapter does not fit the encoder's network"):
        AdaptedVit(encoder, rank=2, fine=FINE).take(AdaptedVit(encoder, fine=FINE).arrays())


def test_the_seed_decides_and_nothing_else(encoder):
    state = torch.random.get_rng_state()
    one, two, other = (taught(encoder, seed).arrays() for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(np.array_equal(one[name], two[name]) for name in one)
    assert not all(np.array_equal(one[name], other[name]) for name in one)


def test_gradients_are_accumulated(encoder):
    """Two images at a time over two rounds are the four of a step."""
    told = []
    taught(encoder, progress=lambda *at: told.append(at))
    assert told == [(done, QUICK.steps) for done in range(1, QUICK.steps + 1)]


def test_tiles_are_adapted_too(tiny_installed, images):
    encoder = DinoPatches(blocks="2", size=28, dtype="float32", tiles=2).shaped(aspect=1.0, pixels=1e6)
    model = AdaptedVit(encoder, fine=FINE)
    share = np.zeros((2, 2 * encoder.grid[0], 2 * encoder.grid[1]), np.float32)
    share[:, :2, :2] = 1
    read = [partial(given, image) for image in images]
    model.teach(Lessons(read, share, np.ones_like(share), np.ones(2)), teaching=QUICK)
    assert model.log_odds(read).shape == share.shape
    assert not np.array_equal(model.features.encode(images), encoder.encode(images))


def test_other_encoders_are_refused():
    with pytest.raises(InputError, match="LoRA adapts vision transformers only"):
        transformer(PatchFilters())
