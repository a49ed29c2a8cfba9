import numpy as np
import pytest
from render import texture

from agentad.errors import UnreadableData
from agentad.modalities.image import png_bytes
from agentad.modalities.image.maps import map_from_bytes, map_to_bytes, peaks, regions, upsample


def test_upsample_puts_a_peak_where_its_patch_lies() -> None:
    patches = np.zeros((4, 8), np.float32)
    patches[1, 6] = 1
    scores = upsample(patches, (160, 40))
    assert (scores.shape, scores.dtype) == ((40, 160), np.float32)
    y, x = np.unravel_index(scores.argmax(), scores.shape)
    assert 10 <= y < 20
    assert 120 <= x < 140


def test_upsample_keeps_constants_and_mean() -> None:
    assert np.allclose(upsample(np.full((3, 5), 2.5), (33, 17)), 2.5)
    patches = np.zeros((9, 9))
    patches[4, 4] = 81
    assert upsample(patches, (90, 90)).mean() == pytest.approx(1, rel=1e-3)


def test_upsample_of_one_patch_and_of_a_smaller_image() -> None:
    assert upsample(np.array([[3.0]]), (7, 2)).tolist() == [[3.0] * 7] * 2
    assert upsample(np.arange(16.0).reshape(4, 4), (1, 1)).shape == (1, 1)


def test_regions_highest_peak_first() -> None:
    scores = np.zeros((100, 100))
    scores[10:20, 30:50] = 2
    scores[12, 33] = 3
    scores[60:62, 60:62] = 5
    scores[62:64, 62:64] = 4  # touches by a corner
    found = regions(scores, 1)
    assert [r[:4] for r in found] == [
        ((60, 60, 64, 64), 8, 5.0, (60, 60)),
        ((30, 10, 50, 20), 200, 3.0, (33, 12)),
    ]
    assert regions(scores, 1, 1) == found[:1]
    assert [box_of(r.polygon) for r in found] == [r.box for r in found]


def box_of(polygon) -> tuple[float, ...]:
    corners = np.array(polygon)
    return (*corners.min(axis=0).tolist(), *corners.max(axis=0).tolist())


@pytest.mark.parametrize("size", [(200, 150), (97, 61), (20, 20), (1500, 1100)])
def test_the_highest_pixel_is_never_above_the_peak(size: tuple[int, int]) -> None:
    maps = np.random.default_rng(0).gamma(2, size=(4, 20, 20))
    highest = np.array([upsample(patch_map, size).max() for patch_map in maps])
    assert (highest <= peaks(maps) + 1e-6).all()
    if min(size) > 1000:
        assert np.allclose(highest, peaks(maps), rtol=0.01)


def test_regions_above_and_not_at_the_threshold() -> None:
    assert regions(np.ones((5, 5)), 1) == []


def test_tiny_regions_are_dropped_unless_highest() -> None:
    scores = np.zeros((200, 200))
    scores[5, 5] = 9
    scores[50:60, 50:60] = 3
    scores[100, 100:103] = 8
    assert [r.area for r in regions(scores, 1)] == [1, 100]


def test_a_map_survives_its_file_exactly() -> None:
    scores = np.random.default_rng(0).normal(size=(31, 17)).astype(np.float32)
    assert np.array_equal(map_from_bytes(map_to_bytes(scores)), scores)


def test_other_bytes_are_refused() -> None:
    with pytest.raises(UnreadableData, match="damaged score map"):
        map_from_bytes(b"nothing")
    with pytest.raises(UnreadableData, match="damaged score map"):
        map_from_bytes(png_bytes(np.asarray(texture(0))))
    with pytest.raises(UnreadableData, match="damaged score map"):
        map_from_bytes(map_to_bytes(np.ones((50, 50)))[:60])
