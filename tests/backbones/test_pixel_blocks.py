import numpy as np
import pytest

from agentad.backbones.paired import PairedEncoder
from agentad.backbones.pixel_blocks import PixelBlocks
from agentad.errors import InputError


def test_blocks_are_means_of_brightness_or_colour():
    image = np.zeros((4, 4, 3), np.uint8)
    image[:2, 2:] = (255, 0, 0)
    grey, colour = PixelBlocks(size=4), PixelBlocks(size=4, colour=True)
    np.testing.assert_allclose(grey.encode([image])[0, ..., 0], [[0, 1 / 3], [0, 0]], atol=1e-3)
    np.testing.assert_array_equal(colour.encode([image])[0, 0, 1], [1, 0, 0])
    assert (grey.grid, grey.channels, colour.channels) == ((2, 2), 1, 3)


def test_a_saved_encoder_is_the_same(tmp_path):
    PixelBlocks(size=8, block=4, colour=True).save(tmp_path)
    assert (PixelBlocks.load(tmp_path).grid, PixelBlocks.load(tmp_path).channels) == ((2, 2), 3)


def test_bad_sizes_are_refused():
    with pytest.raises(InputError, match=r"^block 0: give a number of pixels from 1$"):
        PixelBlocks(block=0)
    with pytest.raises(InputError, match=r"^size 5: give a multiple of the patch side 2"):
        PixelBlocks(size=5)


def test_a_pair_is_the_image_and_its_template():
    encoder = PairedEncoder(PixelBlocks(size=4))
    black, white = np.zeros((4, 4, 3), np.uint8), np.full((4, 4, 3), 255, np.uint8)
    assert encoder.encode_pairs([black], [white])[0, 0, 0].tolist() == [0, 1]
    assert encoder.channels == 2
