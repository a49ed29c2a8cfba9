"""How the image road shapes encoders and bounds what a fit and a batch hold."""

import numpy as np
import pytest

from agentad.backbones.filters import PatchFilters
from agentad.backbones.saved import load_encoder
from agentad.tools import images


class Sizes:
    """Images of given (width, height); reading one makes zeros."""

    def __init__(self, *sizes):
        self.sizes = sizes

    def size(self, i):
        return self.sizes[i]

    def read(self, i):
        width, height = self.sizes[i]
        return np.zeros((height, width, 3), np.uint8)


@pytest.mark.parametrize(
    ("sizes", "grid"),
    [
        ([(100, 100), (104, 100)], (20, 20)),
        ([(640, 256), (640, 256), (100, 100)], (12, 31)),
        ([(1, 10_000)], (40, 10)),
    ],
)
def test_the_grid_follows_the_median_shape(tmp_path, sizes, grid):
    data = Sizes(*sizes)
    encoder = images.fit_encoder(PatchFilters(size=280), data, np.arange(len(sizes)))
    assert encoder.grid == grid
    assert images.blank(encoder).shape == (1, *grid, encoder.channels)
    images.save_encoder(encoder, tmp_path / "encoder")
    assert load_encoder(tmp_path / "encoder").grid == grid


def test_features_of_a_fit_are_bounded():
    encoder = PatchFilters(size=280)
    assert images.most(encoder) * 400 * encoder.channels * 2 <= images.FIT_BYTES
    encoder._grid = encoder._grid.__class__(100_000, 100_000, 14)
    assert images.most(encoder) == 2


def test_large_images_are_read_one_by_one(monkeypatch):
    monkeypatch.setattr(images, "BATCH_PIXELS", 1000)
    small, large = (20, 20), (50, 50)
    data = Sizes(*[small] * 3, large, *[small] * 9)
    found = [part.tolist() for part in images._parts(data, np.arange(13))]
    assert found == [[0, 1], [2], [3], [4, 5], [6, 7], [8, 9], [10, 11], [12]]
    monkeypatch.setattr(images, "BATCH_PIXELS", 1 << 24)
    assert [len(part) for part in images._parts(data, np.arange(13))] == [8, 5]
