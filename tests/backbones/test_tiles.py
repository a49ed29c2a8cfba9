"""Features of an image that goes through in tiles: no seams, no more memory than the grid needs."""

from itertools import pairwise

import numpy as np
import pytest

from agentad.backbones import grid
from agentad.backbones.dino import DinoPatches


def textured(side, seed=0):
    """Noise at several scales, (side, side, 3) uint8."""
    rng = np.random.default_rng(seed)
    plane = sum(np.kron(rng.normal(size=(side // s + 1,) * 2), np.ones((s, s)))[:side, :side] for s in (4, 16, 64))
    return np.repeat(np.clip(128 + 25 * plane, 0, 255).astype(np.uint8)[..., None], 3, axis=-1)


def steps(features):
    """(columns - 1,) mean squared difference between patches side by side."""
    return (np.diff(features[0].astype(np.float32), axis=1) ** 2).sum(-1).mean(0)


@pytest.mark.parametrize("tiles", [2, 3])
@pytest.mark.parametrize("kind", ["constant", "periodic", "textured"])
def test_tiles_leave_no_seam(tiny_installed, tiles, kind):
    """Steps where tiles meet exceed the largest elsewhere by a quarter at most; hard cuts by far more."""
    encoder = DinoPatches(blocks="1,3", size=168, dtype="float32", tiles=tiles)
    side = encoder._grid.pixels[0]
    wave = (np.arange(side) // 14 % 2 * 90 + 80).astype(np.uint8)
    image = {
        "constant": np.full((side, side, 3), 120, np.uint8),
        "periodic": np.repeat(np.repeat(wave[None], side, 0)[..., None], 3, axis=-1),
        "textured": textured(side),
    }[kind]
    found = steps(encoder.encode([image]))
    meets = np.zeros(len(found), bool)
    spans = grid.spans(encoder.grid[1], tiles)
    for (start, fade), (after, _) in pairwise(spans):
        meets[after - 1 : start + len(fade)] = True
    assert found[meets].max() <= 1.25 * found[~meets].max()


def test_hard_cuts_would_be_seen(tiny_installed, monkeypatch):
    """The same measure on tiles side by side, each with positions of its own, finds the seam."""
    monkeypatch.setattr(grid, "OVERLAP", 0)
    encoder = DinoPatches(blocks="1,3", size=168, dtype="float32", tiles=2)
    own = DinoPatches(blocks="1,3", size=168, dtype="float32", tiles=1)._places[0, 0]
    encoder._places = dict.fromkeys(encoder._places, own)
    found = steps(encoder.encode([np.full((336, 336, 3), 120, np.uint8)]))
    assert found[11] > 2 * np.delete(found, 11).max()


def test_a_small_thing_is_where_it_was(tiny_installed):
    encoder = DinoPatches(blocks="1", size=84, dtype="float32", tiles=2)
    plain = textured(168)
    marked = plain.copy()
    marked[14:28, 126:140] = 255
    change = np.abs(np.diff(encoder.encode([plain, marked]).astype(np.float32), axis=0))[0].sum(axis=-1)
    assert encoder.grid == (12, 12)
    assert np.unravel_index(change.argmax(), change.shape) == (1, 9)


def test_one_tile_is_the_whole_image(tiny_installed):
    whole = DinoPatches(blocks="1", size=56, tiles=1)
    chosen = DinoPatches(blocks="1", size=56, tiles=0).shaped(aspect=1.0, pixels=56.0 * 56)
    image = textured(90)
    np.testing.assert_array_equal(whole.encode([image]), chosen.encode([image]))
