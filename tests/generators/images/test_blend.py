import numpy as np

from agentad.generators.images.blend import grafted, harmonic, laid


def test_a_plane_is_continued():
    y, x = np.mgrid[:20, :24].astype(np.float32)
    plane = (2 * y + x)[..., None]
    known = np.ones((20, 24), dtype=bool)
    known[6:14, 5:15] = False
    filled = harmonic(np.where(known[..., None], plane, 999), known)
    assert np.abs(filled - plane).max() < 1.5
    assert np.array_equal(filled[known], plane[known])


def test_another_brightness_leaves_no_seam():
    piece, image = np.full((20, 20, 3), 100, np.float32), np.full((20, 20, 3), 110, np.float32)
    region = np.zeros((20, 20), dtype=bool)
    region[5:15, 5:15] = True
    piece[8:12, 8:12] += 60
    change = grafted(piece, image, region)
    assert np.abs(change[~region]).max() == 0
    assert np.allclose(change[6, 6], 0, atol=0.5)
    assert np.allclose(change[9, 9], 60, atol=0.5)


def test_a_change_that_cannot_be_seen_is_none():
    image = np.full((20, 20, 3), 100, np.uint8)
    region = np.ones((20, 20), dtype=bool)
    box = (slice(0, 20), slice(0, 20))
    assert laid(image, np.full((20, 20, 3), 4, np.float32), region, box) is None


def test_the_mask_is_where_the_change_is():
    image = np.full((30, 30, 3), 100, np.uint8)
    change = np.zeros((20, 20, 3), np.float32)
    change[5:12, 5:12] = 50
    made = laid(image, change, np.ones((20, 20), dtype=bool), (slice(10, 30), slice(10, 30)))
    assert made is not None
    result, mask = made
    assert mask[15:22, 15:22].all()
    assert mask.sum() < 120
    assert np.array_equal(result[~mask], image[~mask])
    assert result[18, 18, 0] == 150
