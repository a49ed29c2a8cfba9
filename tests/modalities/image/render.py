"""Rendered images and folders of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image


def texture(seed: int, size: tuple[int, int] = (64, 48)) -> Image.Image:
    """A picture unlike that of any other seed: random blobs at three scales and a little grain."""
    rng = np.random.default_rng(seed)
    pixels = np.full((size[1], size[0], 3), 128.0)
    for cells, strength in ((6, 50), (24, 40), (60, 30)):
        blobs = Image.fromarray(rng.normal(0, strength, (cells, cells)).astype(np.float32))
        pixels += np.asarray(blobs.resize(size, Image.Resampling.BICUBIC))[:, :, None]
    pixels += rng.normal(0, 3, pixels.shape)
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def save(path: Path, image: Image.Image, **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **options)
    return path


def folder(root: Path, *names: str, start: int = 0) -> Path:
    """Textures at the given paths below `root`; masks (half black, half white) where a name holds `mask`."""
    for seed, name in enumerate(names, start):
        save(root / name, half_mask() if "mask" in name else texture(seed))
    return root


def half_mask(size: tuple[int, int] = (64, 48)) -> Image.Image:
    """White left half, black right half."""
    mask = np.zeros((size[1], size[0]), dtype=np.uint8)
    mask[:, : size[0] // 2] = 255
    return Image.fromarray(mask)
