"""Which places of an image a denoiser is not shown. 1 is hidden, 0 is visible."""

from __future__ import annotations

import torch
from torch import Tensor

_BLOCKS = 3
"""Rectangles at most that are hidden together."""


def checkerboard(size: int, cell: int) -> Tensor:
    """Complementary masks (2, 1, size, size) of squares of `cell` places: each place is hidden in exactly one."""
    square = torch.arange(size) // cell
    odd = (square[:, None] + square[None, :]) % 2
    return torch.stack([odd, 1 - odd])[:, None].float()


def draw_hidden(n: int, size: int, cell: int, generator: torch.Generator) -> Tensor:
    """Masks (n, 1, size, size) to learn from: checkerboards anywhere, with and without rectangles hidden as well.

    Squares are half of `cell`, `cell` or twice as wide. One mask in ten hides everything.
    """
    masks = torch.stack([_board(size, cell, generator) for _ in range(n)])
    for mask in masks:
        kind = torch.rand((), generator=generator)
        if kind < 0.1:
            mask.fill_(1)
        elif kind < 0.6:
            for _ in range(int(torch.randint(1, _BLOCKS + 1, (), generator=generator))):
                _hide_block(mask, generator)
    return masks[:, None]


def _board(size: int, cell: int, generator: torch.Generator) -> Tensor:
    width = max(1, int(cell * 2.0 ** int(torch.randint(-1, 2, (), generator=generator))))
    row, column = torch.randint(2 * width, (2,), generator=generator).tolist()
    down, across = (torch.arange(size) + row) // width, (torch.arange(size) + column) // width
    board: Tensor = ((down[:, None] + across[None, :]) % 2).float()
    return board


def _hide_block(mask: Tensor, generator: torch.Generator) -> None:
    """A rectangle of an eighth to half of the side, in place."""
    size = len(mask)
    height, width = torch.randint(max(1, size // 8), max(2, size // 2), (2,), generator=generator).tolist()
    top = int(torch.randint(size - height + 1, (), generator=generator))
    left = int(torch.randint(size - width + 1, (), generator=generator))
    mask[top : top + height, left : left + width] = 1
