import io

import numpy as np
from PIL import Image
from render import texture

from agentad.modalities.image import contact_sheet, heatmap, jpeg_bytes, outline, png_bytes, thumbnail

GREY = np.full((40, 60, 3), 120, np.uint8)


def test_heatmap_leaves_normal_areas_and_brightens_with_the_score() -> None:
    scores = np.linspace(-1, 3, 60)[None].repeat(40, axis=0)
    drawn = heatmap(GREY, scores, 0, 2)
    assert (drawn.dtype, drawn.shape) == (np.uint8, (40, 60, 3))
    assert np.array_equal(drawn[:, scores[0] <= 0], GREY[:, scores[0] <= 0])
    assert (drawn[:, scores[0] >= 2] == drawn[0, -1]).all()
    light = drawn[0, scores[0] > 0.5].astype(int) @ [299, 587, 114]
    assert (np.diff(light) >= 0).all()
    assert np.array_equal(GREY, np.full((40, 60, 3), 120, np.uint8))


def test_heatmap_of_a_flat_map() -> None:
    assert np.array_equal(heatmap(GREY, np.zeros((40, 60)), 0, 0), GREY)


def test_outline_keeps_the_inside() -> None:
    mask = np.zeros((40, 60), bool)
    mask[10:20, 10:20] = True
    drawn = outline(GREY, mask, [(30, 5, 50, 35)])
    changed = (drawn != GREY).any(axis=2)
    assert not changed[mask].any()
    assert changed[9, 10:20].all()
    assert changed[5:35, 30].all()
    assert changed[34, 30:50].all()
    assert not changed[6:34, 31:49].any()
    assert not (outline(GREY) != GREY).any()


def test_thumbnail_fits_and_never_grows() -> None:
    assert thumbnail(GREY, 30).shape == (20, 30, 3)
    assert thumbnail(GREY, 500).shape == GREY.shape


def test_contact_sheet_places_images_in_rows() -> None:
    sheet = contact_sheet([GREY, GREY, GREY], columns=2, side=30, gap=2)
    assert sheet.shape == (62, 62, 3)
    assert sheet[15, 15].tolist() == [120] * 3
    assert sheet[47, 15].tolist() == [120] * 3
    assert sheet[47, 47].tolist() == [255] * 3
    assert contact_sheet([GREY], side=30).shape == (30, 30, 3)


def test_png_bytes_round_trip() -> None:
    image = np.asarray(texture(3))
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(png_bytes(image)))), image)


def test_jpeg_bytes_are_close() -> None:
    image = np.asarray(texture(3))
    with Image.open(io.BytesIO(jpeg_bytes(image))) as seen:
        assert seen.format == "JPEG"
        assert np.abs(np.asarray(seen).astype(int) - image).mean() < 8
