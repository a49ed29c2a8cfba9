"""Data for `agentad demo`: a real table that ships with scikit-learn, and surface images rendered here.

The table is the Breast Cancer Wisconsin (Diagnostic) data set (Wolberg, Street, Mangasarian 1995; UCI, CC BY 4.0): 30
measurements of cell nuclei, 357 benign samples as normal and 212 malignant ones as anomalous. The images are made up:
brushed metal, lit from one side, with scratches, pits and stains drawn into some of them. They show the road, not
accuracy.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from agentad.store.atomic import whole_folder

SIDE = 256
TRAIN, TEST_GOOD, TEST_EACH = 100, 12, 6
VERSION = "1"

Floats = NDArray[np.float64]
Defect = Callable[[Floats, np.random.Generator], NDArray[np.bool_]]


def make_table(folder: Path) -> Path:
    """Write the table as CSV with an `anomaly` column; returns its path."""
    from sklearn.datasets import load_breast_cancer

    found = load_breast_cancer()
    names = [*(name.replace(" ", "_") for name in found.feature_names), "anomaly"]
    rows = np.column_stack([found.data, found.target == 0])
    with whole_folder(folder) as part:
        path = part / "cells.csv"
        np.savetxt(
            path, rows, fmt=["%.6g"] * (rows.shape[1] - 1) + ["%d"], delimiter=",", header=",".join(names), comments=""
        )
    return folder / "cells.csv"


def make_surfaces(folder: Path, seed: int = 0) -> Path:
    """Render brushed-metal surfaces in MVTec layout, with masks; returns the folder."""
    generator = np.random.default_rng(seed)
    with whole_folder(folder) as part:
        for i in range(TRAIN):
            _save(_surface(generator), part / "train" / "good" / f"{i:03}.png")
        for i in range(TEST_GOOD):
            _save(_surface(generator), part / "test" / "good" / f"{i:03}.png")
        for kind, draw in DEFECTS.items():
            for i in range(TEST_EACH):
                surface = _surface(generator)
                mask = draw(surface, generator)
                _save(surface, part / "test" / kind / f"{i:03}.png")
                _save(mask * 255.0, part / "ground_truth" / kind / f"{i:03}_mask.png")
    return folder


def _surface(generator: np.random.Generator) -> Floats:
    """(256, 256) grey levels: horizontal brushing, a soft light from a varying side, fine grain."""
    brushing = ndimage.gaussian_filter(generator.normal(size=(SIDE, SIDE)), (0.7, 24), mode="wrap")
    grain = generator.normal(size=(SIDE, SIDE))
    angle, height = generator.uniform(0, 2 * np.pi), generator.uniform(-10, 10)
    y, x = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]
    light = 14 * (np.cos(angle) * x + np.sin(angle) * y)
    return np.asarray(140 + height + light + 9 * brushing / brushing.std() + 2 * grain)


def _scratch(surface: Floats, generator: np.random.Generator) -> NDArray[np.bool_]:
    """A thin bright line with a dark edge."""
    start = generator.uniform(60, SIDE - 60, 2)
    angle, length = generator.uniform(0.3, 2.8), generator.uniform(40, 110)
    along = np.linspace(-0.5, 0.5, 400)[:, None] * length * [np.sin(angle), np.cos(angle)]
    bend = generator.normal(0, 3) * np.sin(np.linspace(0, np.pi, 400))[:, None] * [np.cos(angle), -np.sin(angle)]
    points = np.clip(np.round(start + along + bend), 1, SIDE - 2).astype(int)
    line = np.zeros((SIDE, SIDE), bool)
    line[points[:, 0], points[:, 1]] = True
    core = ndimage.binary_dilation(line)
    edge = ndimage.binary_dilation(core, iterations=2) & ~core
    surface[core] += 55
    surface[edge] -= 25
    return np.asarray(core | edge)


def _pit(surface: Floats, generator: np.random.Generator) -> NDArray[np.bool_]:
    """A few small dark holes with a bright rim."""
    mask = np.zeros((SIDE, SIDE), bool)
    y, x = np.mgrid[:SIDE, :SIDE]
    centre = generator.uniform(50, SIDE - 50, 2)
    for _ in range(int(generator.integers(2, 6))):
        cy, cx = centre + generator.normal(0, 12, 2)
        distance = np.hypot(y - cy, x - cx) / generator.uniform(2.5, 5)
        surface += -70 * np.exp(-(distance**4)) + 25 * np.exp(-((distance - 1.5) ** 2) * 6)
        mask |= distance < 1.8
    return mask


def _stain(surface: Floats, generator: np.random.Generator) -> NDArray[np.bool_]:
    """A soft dark blotch that hides the brushing."""
    blob = ndimage.gaussian_filter(generator.normal(size=(SIDE, SIDE)), 9)
    y, x = np.mgrid[:SIDE, :SIDE]
    centre, radius = generator.uniform(60, SIDE - 60, 2), generator.uniform(18, 34)
    inside = np.clip(1.2 - np.hypot(y - centre[0], x - centre[1]) / radius + 0.5 * blob / blob.std(), 0, 1)
    smooth = ndimage.gaussian_filter(surface, 6)
    surface += inside * (0.8 * (smooth - surface) - 22)
    return np.asarray(inside > 0.35)


DEFECTS: dict[str, Defect] = {"pit": _pit, "scratch": _scratch, "stain": _stain}


def _save(grey: NDArray[np.floating[Any]], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.clip(grey, 0, 255).astype(np.uint8)).save(path)
