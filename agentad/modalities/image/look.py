"""One look at an image file: decoded once, for what the profile and the search for duplicates need."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps

from agentad.modalities.image.duplicates import signature
from agentad.modalities.image.pixels import TURNED, TWELVE_BITS, is_deep, opened, read_mask, to_rgb

DRAFT_SIDE = 256
"""JPEG may be decoded at a fraction of its size, not below this."""


@dataclass(frozen=True)
class Look:
    """What one image file holds."""

    size: tuple[int, int]
    """(width, height) after the EXIF orientation."""
    orientation: int
    """EXIF orientation, 1 to 8; 1 is upright."""
    mode: str
    format: str
    several: bool
    """Whether it has more than one frame or page."""
    transparent: bool
    depth: int
    """Bits a grey value is taken to have: 8, 12 or 16; 32 for floats from 0 to 1."""
    digest: str
    """SHA-256 of the file."""
    signature: NDArray[np.uint8]


def look_at(path: Path) -> Look:
    """Decode `path` to its last byte. Raises BrokenImage for what `read_pixels` could not read either."""
    with opened(path) as image:
        size, mode, orientation = image.size, image.mode, _orientation(image)
        size = size[::-1] if orientation in TURNED else size
        kind = "JPEG" if image.format == "MPO" else str(image.format)
        transparent, deep = image.has_transparency_data, is_deep(mode)
        if kind == "JPEG":
            image.draft(None, (DRAFT_SIDE, DRAFT_SIDE))
        ImageOps.exif_transpose(image, in_place=True)
        if kind != "JPEG":
            size = image.size  # some Pillow versions turn TIFF when they open it
        depth = (12 if np.asarray(image).max() <= TWELVE_BITS else 16) if deep else 32 if mode == "F" else 8
        small = signature(image if image.mode == "RGB" and not transparent else Image.fromarray(to_rgb(image)))
        several = _has_second_frame(image)
    return Look(size, orientation, mode, kind, several, transparent, depth, _file_digest(path), small)


def _has_second_frame(image: Image.Image) -> bool:
    """Looks for the second only: counting a million pages takes minutes. A broken second frame is none."""
    try:
        image.seek(1)
    # Readers of damaged headers raise nearly every type there is, and the first frame is good.
    except Exception:
        return False
    return True


@dataclass(frozen=True)
class MaskLook:
    """What one mask file holds."""

    digest: str
    marks: bool
    """Whether any pixel is anomalous."""
    resized: bool
    """Whether its size is not the image's."""


def look_at_mask(path: Path, size: tuple[int, int], orientation: int) -> MaskLook:
    """Decode a mask for an oriented image of `size`. Raises BrokenImage."""
    with opened(path) as image:
        own = image.size
    fits = own == size or (orientation in TURNED and own == size[::-1])
    return MaskLook(_file_digest(path), bool(read_mask(path, size, orientation).any()), not fits)


def _file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _orientation(image: Image.Image) -> int:
    value = image.getexif().get(ExifTags.Base.Orientation, 1)
    return value if value in range(1, 9) else 1
