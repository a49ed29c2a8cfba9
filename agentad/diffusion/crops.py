"""Square crops of images at several scales, turned and mirrored, to learn from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

_LEVELS = 4
"""Halvings of an image at most."""


@dataclass(frozen=True)
class View:
    """Where a crop lies and how it is altered."""

    row: float
    column: float
    """Its middle, in pixels of the image."""
    side: float
    """Of the square that is cut out, in pixels of the image."""
    turn: float = 0.0
    """Radians by which its content is turned, from the rows' direction towards the columns'."""
    mirrored: bool = False


class Pyramid:
    """An image (c, h, w) and its halvings, so that small crops of large squares are not jagged."""

    def __init__(self, image: Tensor) -> None:
        self.image = image
        self._levels = [image]
        while len(self._levels) < _LEVELS and min(self._levels[-1].shape[1:]) > 1:
            self._levels.append(functional.avg_pool2d(self._levels[-1][None], 2)[0])

    def cut(self, view: View, size: int) -> Tensor:
        """The crop of `view` as (c, size, size); beyond the border the image is mirrored."""
        level = 0
        while level + 1 < len(self._levels) and view.side >= size * 2 ** (level + 1):
            level += 1
        height, width = self.image.shape[1:]
        # a place of the crop, -1 to 1 on both axes, to a place of the image, -1 to 1 on both axes
        cos, sin = torch.tensor(view.turn).cos() * view.side, torch.tensor(view.turn).sin() * view.side
        flip = -1.0 if view.mirrored else 1.0
        theta = torch.tensor(
            [
                [flip * cos / width, -sin / width, (2 * view.column + 1) / width - 1],
                [flip * sin / height, cos / height, (2 * view.row + 1) / height - 1],
            ]
        )
        grid = functional.affine_grid(theta[None], [1, 1, size, size], align_corners=False)
        image = self._levels[level]
        return functional.grid_sample(image[None], grid, padding_mode="reflection", align_corners=False)[0]


def draw_view(image: Tensor, size: int, generator: torch.Generator) -> View:
    """A square anywhere inside `image` (c, h, w): of `size` pixels in two cases of three, else larger."""
    height, width = image.shape[1:]
    largest = min(height, width) / size
    place = torch.rand(4, generator=generator).tolist()
    side = size * (largest ** place[1] if place[0] > 2 / 3 else 1.0)
    return View((height - side) * place[2] + side / 2 - 0.5, (width - side) * place[3] + side / 2 - 0.5, side)


def draw_crop(images: Sequence[Pyramid], row: int, size: int, generator: torch.Generator) -> Tensor:
    """A crop (c, size, size) of image `row`: of three, the one in which most is to be seen, in three cases of four."""
    image = images[row]
    crops = [image.cut(draw_view(image.image, size, generator), size) for _ in range(3)]
    if torch.rand((), generator=generator) < 0.25:
        return crops[0]
    return max(crops, key=lambda crop: float(crop.var(dim=(1, 2)).sum()))


def draw_masks(n: int, size: int, generator: torch.Generator) -> Tensor:
    """Masks (n, 1, size, size) of blobs, streaks and rectangles; 1 is hidden. None is empty."""
    masks = torch.stack([_draw_mask(size, generator) for _ in range(n)])[:, None]
    for mask in masks:
        if not mask.any():
            mask[:, size // 4 : size // 2, size // 4 : size // 2] = 1
    return masks


def _draw_mask(size: int, generator: torch.Generator) -> Tensor:
    kind, reach = torch.rand(2, generator=generator).tolist()
    row, column = (torch.rand(2, generator=generator) * size).tolist()
    at = torch.arange(size)
    down, across = (at - row)[:, None] / size, (at - column)[None, :] / size
    radius = 0.12 + 0.5 * reach**2
    if kind < 0.2:
        mask = (down.abs() < radius) & (across.abs() < radius * (0.3 + 7 * kind))
    else:
        cells = 3 + int(torch.randint(4, (), generator=generator))
        rough = torch.randn(1, 1, cells, cells, generator=generator)
        smooth = functional.interpolate(rough, (size, size), mode="bicubic")[0, 0]
        near = (down**2 + across**2).sqrt()
        # a contour of smooth noise is a winding line
        line = (smooth.abs() < 0.15) & (near < 1.5 * radius)
        mask = line if kind < 0.4 else near < radius * (1 + 0.5 * smooth)
    drawn: Tensor = mask.float()
    return drawn


def scaled(image: NDArray[Any], height: int, width: int) -> NDArray[np.float32]:
    """`image` (h, w, c) at another size, in float32: bilinear, averaged over the covered pixels where it shrinks."""
    found = image.astype(np.float32)
    if image.shape[:2] == (height, width):
        return found
    planes = torch.from_numpy(found).permute(2, 0, 1)[None]
    planes = functional.interpolate(planes, (height, width), mode="bilinear", antialias=True, align_corners=False)
    return np.ascontiguousarray(planes[0].permute(1, 2, 0).numpy())
