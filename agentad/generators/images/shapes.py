"""Outlines drawn by description: scratch, hole, stain, crack, missing part."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from agentad.flow.brief import Shape
from agentad.generators.images.base import Mask

Floats = NDArray[np.float64]
Drawing = Callable[[float], Mask]
"""The outline at a scale, in a box that just holds it."""

LINES: frozenset[Shape] = frozenset({"scratch", "crack"})
"""Thin ones."""
_TRIES = 6


def drawn(shape: Shape, area: float, rng: np.random.Generator) -> Mask:
    """An outline of about `area` pixels (at least one), in a box (h, w) that just holds it."""
    drawing = _DRAWINGS[shape](rng)
    scale = np.sqrt(max(area, 1.0))
    for _ in range(_TRIES):
        mask = drawing(scale)
        ratio = np.sqrt(max(area, 1.0) / mask.sum())
        if 0.97 < ratio < 1.03:
            break
        scale *= ratio
    return mask


def torn(area: float, rng: np.random.Generator) -> Mask:
    """A ragged outline of `area` pixels: where noise of several scales is highest, less the distance to its middle."""
    side = max(8, round(2.5 * np.sqrt(area)))
    y, x = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
    field = noise((side, side), rng) - 2.5 * (y**2 + x**2 * rng.uniform(0.4, 1)) * 2
    return _cut(field >= np.partition(field.ravel(), -round(area))[-round(area)])


def rectangle(area: float, rng: np.random.Generator) -> Mask:
    """An upright one, at most three times as long as wide."""
    ratio = np.exp(rng.uniform(-1, 1) * np.log(3) / 2)
    sides = max(1, round(np.sqrt(area) * ratio)), max(1, round(np.sqrt(area) / ratio))
    return np.ones(sides, dtype=np.bool_)


def noise(shape: tuple[int, int], rng: np.random.Generator, finest: int = 16) -> Floats:
    """(h, w) smooth noise of deviation 1: random values on grids of 2, 4, … `finest` cells, each half as high."""
    total = np.zeros(shape)
    cells = 2
    while cells <= finest:
        grid = rng.normal(size=(cells + 1, cells + 1))
        where = np.meshgrid(*(np.linspace(0, cells, n) for n in shape), indexing="ij")
        total += ndimage.map_coordinates(grid, where, order=1) * 2 / cells
        cells *= 2
    return np.asarray((total - total.mean()) / max(float(total.std()), 1e-12))


def _scratch(rng: np.random.Generator) -> Drawing:
    """A line, bent a little, twenty to forty times as long as wide."""
    length = np.sqrt(rng.uniform(20, 40))
    angle, bend = rng.uniform(0, np.pi), rng.uniform(-0.15, 0.15)
    t = np.linspace(-0.5, 0.5, 9)
    line = np.stack([t, bend * (1 - 4 * t**2)], axis=1) * length
    ends = np.clip(1.6 - 1.6 * np.abs(2 * t) ** 3, 0.5, 1) / length / 2  # thinner at both ends
    return _stroke([(line @ _turned(angle), ends)])


def _crack(rng: np.random.Generator) -> Drawing:
    """A jagged line with one to three branches that are thinner."""
    length = np.sqrt(rng.uniform(25, 40))
    angle = rng.uniform(0, np.pi)
    wide = 0.5 / length
    main = _walk(rng, np.zeros(2), 0.0, length, 12)
    strokes = [(main, np.linspace(1.3, 0.6, len(main)) * wide)]
    for start in rng.choice(np.arange(2, 10), size=rng.integers(1, 4), replace=False):
        side = rng.choice([-1, 1]) * rng.uniform(0.5, 1.1)
        branch = _walk(rng, main[start], side, length * rng.uniform(0.15, 0.35), 5)
        strokes.append((branch, np.linspace(0.9, 0.4, len(branch)) * wide))
    return _stroke([(line @ _turned(angle), widths) for line, widths in strokes])


def _hole(rng: np.random.Generator) -> Drawing:
    """Nearly an ellipse."""
    return _blob(rng, rng.uniform(0.65, 1), 0.03)


def _stain(rng: np.random.Generator) -> Drawing:
    """A smooth blob with lobes."""
    return _blob(rng, rng.uniform(0.5, 1), 0.12)


def _missing(rng: np.random.Generator) -> Drawing:
    """An angular piece of four to seven corners."""
    corners = rng.integers(4, 8)
    angles = np.sort((np.arange(corners) + rng.uniform(-0.3, 0.3, corners)) * 2 * np.pi / corners)
    radii = rng.uniform(0.6, 1.0, corners)
    ring = np.stack([radii * np.cos(angles), radii * np.sin(angles)], axis=1) / 1.3

    def drawing(scale: float) -> Mask:
        y, x = _grid(ring, scale, 0)
        inside = np.zeros(y.shape, dtype=np.bool_)
        for (r0, c0), (r1, c1) in zip(ring, np.roll(ring, -1, axis=0), strict=True):
            crosses = (r0 > y) != (r1 > y)
            inside ^= crosses & (x < c0 + (y - r0) * (c1 - c0) / (r1 - r0 if r1 != r0 else 1.0))
        return _cut(inside)

    return drawing


def _blob(rng: np.random.Generator, aspect: float, lobes: float) -> Drawing:
    """Radius 1 + Σ a_k cos(kθ + φ_k), k = 2 … 5, squeezed to `aspect` and turned."""
    k = np.arange(2, 6)
    heights, phases = rng.normal(0, lobes, 4) * 2 / k, rng.uniform(0, 2 * np.pi, 4)
    turn = _turned(rng.uniform(0, np.pi))
    reach = (1 + np.abs(heights).sum()) / np.sqrt(np.pi * aspect)

    def drawing(scale: float) -> Mask:
        y, x = _grid(np.array([[-reach, -reach], [reach, reach]]), scale, 0)
        a, b = np.tensordot(turn, np.stack([y, x]), axes=1)
        b = b / aspect
        theta = np.arctan2(b, a)
        radius = 1 + np.tensordot(heights, np.cos(k[:, None, None] * theta + phases[:, None, None]), axes=1)
        return _cut(np.hypot(a, b) * np.sqrt(np.pi * aspect) <= radius)

    return drawing


def _walk(rng: np.random.Generator, start: Floats, angle: float, length: float, steps: int) -> Floats:
    """(steps + 1, 2) corners of a jagged line that keeps about its direction."""
    angles = angle + rng.normal(0, 0.45, steps)
    moves = np.stack([np.cos(angles), np.sin(angles)], axis=1) * (length / steps)
    return np.concatenate([start[None], start + np.cumsum(moves, axis=0)])


def _stroke(strokes: list[tuple[Floats, Floats]]) -> Drawing:
    """Lines of corners (n, 2) with half their width (n,) at each, nowhere thinner than a pixel."""
    everything = np.concatenate([line for line, _ in strokes])

    def drawing(scale: float) -> Mask:
        y, x = _grid(everything, scale, 2 / scale + max(float(w.max()) for _, w in strokes))
        mask = np.zeros(y.shape, dtype=np.bool_)
        for line, widths in strokes:
            for start, end, half in zip(line[:-1], line[1:], (widths[:-1] + widths[1:]) / 2, strict=True):
                way = end - start
                t = ((y - start[0]) * way[0] + (x - start[1]) * way[1]) / max(float(way @ way), 1e-12)
                t = np.clip(t, 0, 1)
                away = np.hypot(y - start[0] - t * way[0], x - start[1] - t * way[1])
                mask |= away <= max(half, 0.71 / scale)
        return _cut(mask)

    return drawing


def _grid(corners: Floats, scale: float, margin: float) -> tuple[Floats, Floats]:
    """Rows and columns, in the drawing's units, of the pixels of a box around `corners`."""
    low, high = (corners.min(axis=0) - margin) * scale, (corners.max(axis=0) + margin) * scale
    y, x = np.mgrid[np.floor(low[0]) : np.ceil(high[0]) + 1, np.floor(low[1]) : np.ceil(high[1]) + 1]
    return y / scale, x / scale


def _cut(mask: Mask) -> Mask:
    """The box that just holds it; a single pixel if nothing was drawn."""
    if not mask.any():
        return np.ones((1, 1), dtype=np.bool_)
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _turned(angle: float) -> Floats:
    cos, sin = np.cos(angle), np.sin(angle)
    return np.array([[cos, -sin], [sin, cos]])


_DRAWINGS: Mapping[Shape, Callable[[np.random.Generator], Drawing]] = {
    "scratch": _scratch,
    "hole": _hole,
    "stain": _stain,
    "crack": _crack,
    "missing": _missing,
}
