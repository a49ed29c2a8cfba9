"""Both networks on one grid, with tiny and random weights."""

import numpy as np
import pytest
from safetensors.numpy import save_file
from test_lite import random_weights

from agentad.backbones import checkpoint, lite_layout
from agentad.backbones.dino import DinoPatches
from agentad.backbones.lite import LitePatches
from agentad.backbones.lite_layout import Lite
from agentad.backbones.pair import PairPatches
from agentad.backbones.saved import load_encoder
from agentad.errors import DetectorRefused
from agentad.store.atomic import write_json

SETTINGS = {"blocks": "1,2", "side": 4, "dtype": "float32"}
IMAGES = [np.random.default_rng(1).integers(0, 256, (70 + 9 * i, 64, 3), dtype=np.uint8) for i in range(2)]


@pytest.fixture
def both(tiny_installed, monkeypatch):
    """Tiny DINOv2 and EfficientNet-Lite0 weights in one local folder."""
    folder = tiny_installed.parent / "efficientnet-lite0"
    folder.mkdir()
    save_file(random_weights(Lite(5, head=False)), folder / checkpoint.WEIGHTS)
    write_json(folder / checkpoint.CONFIG, lite_layout.config(Lite(5, head=False)))
    return folder.parent


def test_features_are_those_of_the_two_side_by_side(both):
    pair = PairPatches(share=0.5, **SETTINGS)
    dino, lite = DinoPatches(blocks="1,2", size=56, dtype="float32"), LitePatches(size=64, dtype="float32")
    found = pair.encode(IMAGES)
    assert pair.grid == dino.grid == lite.grid == (4, 4)
    assert found.shape == (2, 4, 4, pair.channels)
    assert np.array_equal(found[..., : dino.channels], dino.encode(IMAGES))
    assert np.array_equal(found[..., dino.channels :], lite.encode(IMAGES) * np.float16(0.5))


@pytest.mark.parametrize(
    ("aspect", "pixels"), [(1.0, 64.0**2), (0.4, 256 * 640.0), (3.0, 5e6), (1.0, 5.2e4), (1.2, 2e7)]
)
def test_both_grids_follow_the_images_alike(both, aspect, pixels):
    shaped = PairPatches(**SETTINGS).shaped(aspect=aspect, pixels=pixels)
    assert shaped._dino._grid.tiles == shaped._lite._grid.tiles
    assert shaped.encode(IMAGES[:1]).shape == (1, *shaped.grid, shaped.channels)
    assert (shaped.grid[1] > shaped.grid[0]) == (aspect > 1.1)


def test_it_is_read_back_whole(both, tmp_path):
    pair = PairPatches(share=0.7, **SETTINGS).shaped(aspect=0.4, pixels=9e4)
    pair.save(tmp_path / "encoder")
    again = load_encoder(tmp_path / "encoder")
    assert isinstance(again, PairPatches)
    assert again.grid == pair.grid
    assert np.array_equal(again.encode(IMAGES), pair.encode(IMAGES))


def test_two_networks_that_do_not_belong_together_are_refused(both, tmp_path):
    PairPatches(**SETTINGS).save(tmp_path / "one")
    LitePatches(size=96, dtype="float32").save(tmp_path / "one" / "lite")
    with pytest.raises(DetectorRefused, match="grids of its two networks differ"):
        PairPatches.load(tmp_path / "one")
