import numpy as np

from agentad.backbones.raw_pixels import RawPixels, to_bytes


def test_pixels_come_as_they_are_and_go_back_exactly(tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (16, 16, 3)).astype(np.uint8)
    encoder = RawPixels(size=16)
    x = encoder.encode([image, np.zeros((40, 20, 3), np.uint8)])
    assert (x.shape, x.dtype, encoder.grid, encoder.channels) == ((2, 16, 16, 3), np.float16, (16, 16), 3)
    assert x.max() <= 1
    np.testing.assert_array_equal(to_bytes(x[0]), image)
    assert not x[1].any()
    encoder.save(tmp_path)
    np.testing.assert_array_equal(RawPixels.load(tmp_path).encode([image]), x[:1])
