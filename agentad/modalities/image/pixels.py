"""From an image file to 8-bit colour pixels, refusing what is broken or too big before memory is taken.

16-bit grey values are divided by 65535, or by 4095 when no pixel of the image is above 4095 (cameras of 10 and 12 bits
write 16-bit files), and multiplied by 255. Floats are multiplied by 255 when all are within 0 and 1, and refused
otherwise. Nothing is stretched per image, so that images stay comparable. Of 16-bit colour the high byte is kept.
Palettes are looked up, CMYK is converted, transparency is laid on white, grey is repeated.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from agentad.errors import UnreadableData
from agentad.modalities.image.walk import refusal
from agentad.modalities.shown import shown

Pixels = NDArray[np.uint8]

FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "WEBP")
MAX_PIXELS = 100_000_000
"""Width times height above which an image is refused from its header."""
MAX_BYTES = 1 << 30
MAX_SCANS = 200
"""A JPEG of more progressive scans is refused: encoders write about ten, and each visits every block of the image, so
that a file of a few hundred kilobytes can keep a decoder busy for minutes."""
_UNKNOWN = "not a PNG, JPEG, TIFF, BMP or WebP image, or of a layout that is not read, or damaged from the start"
_SCAN = b"\xff\xda"
STRIP = 512
"""Rows converted at a time, so that a large image is held in memory twice, not five times."""
TWELVE_BITS = 4095
SIXTEEN_BITS = 65535


class BrokenImage(UnreadableData):
    """An image file that cannot be read; `reason` is the message without the file's name."""

    def __init__(self, path: Path, reason: str):
        super().__init__(f"{shown(path)}: {reason}")
        self.reason = reason


@contextmanager
def opened(path: Path) -> Iterator[Image.Image]:
    """The image with its header read and its pixels not yet decoded; its first frame when there are several.

    Whatever goes wrong inside the block comes out as `BrokenImage`. Use it from one thread at a time.
    """
    reason = refusal(path)
    if reason:
        raise BrokenImage(path, reason)
    # Warnings are about metadata, or about sizes that the limit below judges.
    with warnings.catch_warnings(action="ignore"):
        try:
            if path.stat().st_size > MAX_BYTES:
                raise BrokenImage(path, f"larger than {MAX_BYTES >> 20} MiB")
            with Image.open(path, formats=FORMATS) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise BrokenImage(path, _too_big(image.width, image.height))
                if image.format in ("JPEG", "MPO") and _holds_more(path, _SCAN, MAX_SCANS):
                    raise BrokenImage(path, f"a JPEG of more than {MAX_SCANS} scans; save it anew")
                yield image
        except BrokenImage:
            raise
        except UnidentifiedImageError as problem:
            raise BrokenImage(path, _UNKNOWN) from problem
        except Image.DecompressionBombError as problem:
            raise BrokenImage(path, f"more than {MAX_PIXELS:,} pixels") from problem
        # Decoders fed with damaged bytes raise nearly every type there is.
        except Exception as problem:
            raise BrokenImage(path, f"cannot be decoded: {shown(str(problem)) or type(problem).__name__}") from problem


def read_pixels(path: Path) -> Pixels:
    """The image as uint8 (H, W, 3), turned the way its EXIF orientation says, at its own resolution."""
    with opened(path) as image:
        ImageOps.exif_transpose(image, in_place=True)
        return to_rgb(image)


def to_rgb(image: Image.Image, *, background: str = "white") -> Pixels:
    """Any pixel layout Pillow decodes as uint8 (H, W, 3). Raises ValueError for values of no known range."""
    if is_deep(image.mode) or image.mode == "F":
        values = np.asarray(image)
        return np.repeat((_unit8(values) if image.mode == "F" else _grey8(values))[:, :, None], 3, axis=2)
    if image.mode == "RGB" and not image.has_transparency_data:
        return np.asarray(image)
    pixels = np.empty((image.height, image.width, 3), np.uint8)
    for top in range(0, image.height, STRIP):
        part = image.crop((0, top, image.width, min(top + STRIP, image.height)))
        if image.has_transparency_data:
            layer = part.convert("RGBA")
            part = Image.alpha_composite(Image.new("RGBA", layer.size, background), layer)
        pixels[top : top + STRIP] = np.asarray(part.convert("RGB"))
    return pixels


def is_deep(mode: str) -> bool:
    """Whether a Pillow mode holds grey values of 16 bits (32-bit integers are how some files arrive)."""
    return mode == "I" or mode.startswith("I;16")


def _grey8(values: NDArray[np.integer]) -> Pixels:
    """16-bit values (H, W) as 8-bit values by the module's rule."""
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > SIXTEEN_BITS:
        raise ValueError(f"pixel values from {low} to {high} do not fit 16 bits; save the image as 8 or 16 bit")
    white = TWELVE_BITS if high <= TWELVE_BITS else SIXTEEN_BITS
    table = np.rint(np.arange(white + 1) * (255 / white)).astype(np.uint8)
    return np.asarray(table[values])


def _unit8(values: NDArray[np.float32]) -> Pixels:
    """Float values (H, W) from 0 to 1 as 8-bit values."""
    low, high = float(values.min()), float(values.max())
    if not (low >= 0 and high <= 1):  # nor if they are not numbers
        raise ValueError(
            f"float pixels from {low:.4g} to {high:.4g} have no known range, only 0 to 1 has; save the image as 8 or "
            "16 bit"
        )
    return np.asarray(np.rint(values * np.float32(255)), dtype=np.uint8)


def _holds_more(path: Path, mark: bytes, most: int) -> bool:
    """Whether the file holds the two bytes `mark` more than `most` times."""
    found, tail = 0, b""
    with path.open("rb") as file:
        while found <= most and (part := file.read(1 << 20)):
            found += (tail + part).count(mark)
            tail = part[-1:]
    return found > most


def read_mask(path: Path, size: tuple[int, int], orientation: int = 1) -> NDArray[np.bool_]:
    """A ground-truth mask as bool (H, W) for an oriented image of `size` (W, H).

    True is any colour but black where the mask's brightest value is below 128 (class numbers), else brightness above
    127 (so that JPEG noise is not a defect). A mask drawn before the image was turned (`orientation`, the image's EXIF
    value) is turned with it; one of another size is resized to the nearest pixel.
    """
    with opened(path) as image:
        ImageOps.exif_transpose(image, in_place=True)
        values = np.asarray(image) if is_deep(image.mode) else to_rgb(image, background="black").max(axis=2)
    mask = Image.fromarray(values > (0 if values.max() < 128 else 127))
    if orientation in TURNED and mask.size == size[::-1] and mask.size != size:
        mask = mask.transpose(TURNED[orientation])
    if mask.size != size:
        mask = mask.resize(size, Image.Resampling.NEAREST)
    return np.asarray(mask, dtype=np.bool_)


TURNED = {
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF orientations that exchange width and height, and the turn that undoes them."""


def _too_big(width: int, height: int) -> str:
    return f"{width} x {height} pixels, more than the {MAX_PIXELS:,} that are read; scale it down or cut it into tiles"
