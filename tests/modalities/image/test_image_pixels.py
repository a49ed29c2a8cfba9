from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps
from render import half_mask, save, texture

from agentad.modalities.image.look import look_at
from agentad.modalities.image.pixels import MAX_SCANS, BrokenImage, read_mask, read_pixels


@pytest.mark.parametrize(("suffix", "format"), [("png", "PNG"), ("tiff", "TIFF"), ("bmp", "BMP"), ("webp", "WEBP")])
def test_lossless_formats_give_the_pixels_back(tmp_path: Path, suffix: str, format: str) -> None:
    image = texture(0)
    path = save(tmp_path / f"x.{suffix}", image, **({"lossless": True} if suffix == "webp" else {}))
    assert np.array_equal(read_pixels(path), np.asarray(image))
    look = look_at(path)
    assert (look.size, look.mode, look.format, look.several) == ((64, 48), "RGB", format, False)


def test_jpeg_is_close(tmp_path: Path) -> None:
    image = texture(0)
    pixels = read_pixels(save(tmp_path / "x.jpg", image, quality=98, subsampling=0))
    assert np.abs(pixels.astype(int) - np.asarray(image)).mean() < 2


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("top", [4095, 65535])
def test_sixteen_bit_ramp_keeps_its_order_and_fills_the_range(tmp_path: Path, suffix: str, top: int) -> None:
    ramp = np.linspace(0, top, 300).astype(np.uint16)[None].repeat(4, axis=0)
    pixels = read_pixels(save(tmp_path / f"x.{suffix}", Image.fromarray(ramp)))
    assert (pixels.dtype, pixels.shape) == (np.uint8, (4, 300, 3))
    row = pixels[0, :, 0].astype(int)
    assert (np.diff(row) >= 0).all()
    assert np.abs(row - ramp[0] * (255 / top)).max() <= 0.5
    assert np.array_equal(pixels[..., 0], pixels[..., 2])


def test_sixteen_bit_images_of_one_camera_stay_comparable(tmp_path: Path) -> None:
    for name, high in (("dim", 30000), ("bright", 60000)):
        save(tmp_path / f"{name}.png", Image.fromarray(np.full((4, 4), high, np.uint16)))
    assert read_pixels(tmp_path / "dim.png")[0, 0, 0] == round(30000 / 257)
    assert read_pixels(tmp_path / "bright.png")[0, 0, 0] == round(60000 / 257)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
def test_exif_orientation_is_undone(tmp_path: Path, orientation: int, suffix: str) -> None:
    upright = Image.fromarray(np.kron(np.array([[0, 80], [160, 255]], np.uint8), np.ones((16, 24), np.uint8)))
    undo = {2: 2, 3: 3, 4: 4, 5: 5, 6: 8, 7: 7, 8: 6}
    stored = upright.convert("RGB")
    if orientation > 1:
        exif = Image.Exif()
        exif[0x0112] = undo[orientation]
        stored.getexif().update(exif)
        stored = ImageOps.exif_transpose(stored)
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(tmp_path / f"x.{suffix}", stored, exif=exif)
    pixels = read_pixels(path)
    assert pixels.shape == (32, 48, 3)
    corners = pixels[4::24, 6::36, 0].astype(int)
    assert np.abs(corners - [[0, 80], [160, 255]]).max() < 6
    assert look_at(path).size == (48, 32)


def test_transparency_is_laid_on_white(tmp_path: Path) -> None:
    rgba = np.zeros((2, 3, 4), np.uint8)
    rgba[:, 1, 3] = 255
    rgba[:, 2, 3] = 128
    pixels = read_pixels(save(tmp_path / "x.png", Image.fromarray(rgba)))
    assert pixels[0, :, 0].tolist() == [255, 0, 127]
    assert look_at(tmp_path / "x.png").transparent


def test_grey_with_alpha(tmp_path: Path) -> None:
    image = Image.merge("LA", [Image.new("L", (2, 2), 10), Image.new("L", (2, 2), 0)])
    assert (read_pixels(save(tmp_path / "x.png", image)) == 255).all()


def test_palette_is_looked_up(tmp_path: Path) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.putpixel((1, 0), 1)
    assert read_pixels(save(tmp_path / "x.png", image)).tolist() == [[[10, 20, 30], [200, 100, 50]]]


def test_palette_with_a_transparent_colour(tmp_path: Path) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.putpixel((1, 0), 1)
    path = save(tmp_path / "x.png", image, transparency=0)
    assert read_pixels(path).tolist() == [[[255, 255, 255], [200, 100, 50]]]


@pytest.mark.parametrize("suffix", ["jpg", "tif"])
def test_cmyk(tmp_path: Path, suffix: str) -> None:
    image = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    red = read_pixels(save(tmp_path / f"x.{suffix}", image))[8, 8].astype(int)
    assert np.abs(red - [255, 0, 0]).max() < 8


@pytest.mark.parametrize("mode", ["1", "L"])
def test_grey_is_repeated(tmp_path: Path, mode: str) -> None:
    pixels = read_pixels(save(tmp_path / "x.png", Image.new(mode, (5, 7), 255)))
    assert pixels.shape == (7, 5, 3)
    assert (pixels == 255).all()


def test_first_frame_of_several(tmp_path: Path) -> None:
    frames = [texture(0), texture(1), texture(2)]
    for name in ("x.tif", "x.png"):
        path = save(tmp_path / name, frames[0], save_all=True, append_images=frames[1:])
        assert np.array_equal(read_pixels(path), np.asarray(frames[0]))
        assert look_at(path).several


def test_floats_from_0_to_1(tmp_path: Path) -> None:
    ramp = np.linspace(0, 1, 300, dtype=np.float32)[None].repeat(4, axis=0)
    path = save(tmp_path / "x.tif", Image.fromarray(ramp))
    pixels = read_pixels(path)
    assert (pixels.dtype, pixels.shape) == (np.uint8, (4, 300, 3))
    assert np.abs(pixels / 255 - ramp[:, :, None]).max() <= 0.5 / 255 + 1e-6
    assert look_at(path).depth == 32


@pytest.mark.parametrize(("value", "told"), [(1.5, "1.5"), (-0.25, "-0.25"), (np.nan, "nan"), (np.inf, "inf")])
def test_floats_of_no_known_range_are_refused(tmp_path: Path, value: float, told: str) -> None:
    path = save(tmp_path / "x.tif", Image.new("F", (3, 3), value))
    with pytest.raises(BrokenImage) as caught:
        read_pixels(path)
    assert str(caught.value) == (
        f"{path}: cannot be decoded: float pixels from {told} to {told} have no known range, only 0 to 1 has; save the "
        "image as 8 or 16 bit"
    )


def test_a_jpeg_of_very_many_scans_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    path = save(tmp_path / "x.jpg", texture(0), progressive=True)
    whole = path.read_bytes()
    assert read_pixels(path).shape == (48, 64, 3)
    last = whole.rindex(b"\xff\xda")
    path.write_bytes(whole[:-2] + whole[last:-2] * MAX_SCANS + whole[-2:])
    with pytest.raises(BrokenImage) as caught:
        look_at(path)
    assert str(caught.value) == f"{path}: a JPEG of more than 200 scans; save it anew"


@pytest.mark.parametrize("size", [(1, 1), (1, 10_000), (10_000, 1)])
def test_extreme_shapes(tmp_path: Path, size: tuple[int, int]) -> None:
    path = save(tmp_path / "x.png", Image.new("L", size, 7))
    assert read_pixels(path).shape == (size[1], size[0], 3)
    assert look_at(path).signature.shape == (64, 64)


@pytest.mark.parametrize("value", [1, 3, 255])
def test_mask_of_class_numbers_or_white(tmp_path: Path, value: int) -> None:
    mask = np.asarray(half_mask()) // 255 * value
    assert read_mask(save(tmp_path / "m.png", Image.fromarray(mask)), (64, 48))[:, :32].all()
    assert not read_mask(tmp_path / "m.png", (64, 48))[:, 32:].any()


def test_mask_with_jpeg_noise(tmp_path: Path) -> None:
    truth = np.asarray(half_mask()) > 0
    assert np.array_equal(read_mask(save(tmp_path / "m.jpg", half_mask(), quality=40), (64, 48)), truth)


def test_mask_in_sixteen_bits_and_with_a_clear_background(tmp_path: Path) -> None:
    truth = np.asarray(half_mask()) > 0
    deep = save(tmp_path / "deep.png", Image.fromarray(truth.astype(np.uint16)))
    clear = np.zeros((48, 64, 4), np.uint8)
    clear[truth] = 255
    assert np.array_equal(read_mask(deep, (64, 48)), truth)
    assert np.array_equal(read_mask(save(tmp_path / "clear.png", Image.fromarray(clear)), (64, 48)), truth)


def test_mask_of_another_size_is_resized(tmp_path: Path) -> None:
    mask = read_mask(save(tmp_path / "m.png", half_mask((32, 24))), (64, 48))
    assert np.array_equal(mask, np.asarray(half_mask()) > 0)


def test_mask_drawn_before_the_image_was_turned(tmp_path: Path) -> None:
    mask = read_mask(save(tmp_path / "m.png", half_mask((48, 64))), (64, 48), orientation=6)
    # Orientation 6 turns clockwise by 90 degrees: the left half becomes the top half.
    assert mask[:24].all()
    assert not mask[24:].any()
