import numpy as np
import pytest
from PIL import Image, ImageDraw
from scipy.ndimage import binary_fill_holes

from agentad.modalities.image.polygons import MOST_POINTS, outer_polygon

SCALE = 4
"""Polygons are filled at this many times the resolution, so that half pixels count."""


def overlap(mask: np.ndarray) -> float:
    """Intersection over union of the region, its holes filled, and its filled polygon."""
    corners = [(x * SCALE - 0.5, y * SCALE - 0.5) for x, y in outer_polygon(mask)]
    drawn = Image.new("1", (mask.shape[1] * SCALE, mask.shape[0] * SCALE))
    ImageDraw.Draw(drawn).polygon(corners, fill=1)
    filled, truth = np.asarray(drawn), np.kron(binary_fill_holes(mask), np.ones((SCALE, SCALE), bool))
    return float((filled & truth).sum() / (filled | truth).sum())


def ellipse(width: int, height: int, share: float = 0.95) -> np.ndarray:
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    return np.asarray(x**2 + y**2 < share**2)


def star(side: int) -> np.ndarray:
    y, x = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
    return np.asarray(np.hypot(x, y) < 0.6 + 0.3 * np.sin(7 * np.arctan2(y, x)))


@pytest.mark.parametrize(
    ("mask", "least"),
    [
        (ellipse(60, 40), 0.97),
        (ellipse(300, 200), 0.99),
        (ellipse(300, 200) & ~ellipse(300, 200, 0.7), 0.99),
        (star(200), 0.96),
        (np.ones((30, 50), bool), 0.99),
        (np.ones((2500, 1800), bool), 0.99),
        (ellipse(3000, 2100), 0.99),
    ],
    ids=["small", "large", "ring", "star", "all", "all, in blocks", "in blocks"],
)
def test_the_polygon_covers_its_region(mask: np.ndarray, least: float) -> None:
    assert overlap(mask) > least
    assert 3 <= len(outer_polygon(mask)) <= MOST_POINTS


@pytest.mark.parametrize("mask", [ellipse(300, 200), star(90), ellipse(3000, 2101)])
def test_the_polygon_spans_the_regions_box(mask: np.ndarray) -> None:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    corners = np.array(outer_polygon(mask))
    slack = mask.shape[1] / 250  # what simplifying may cut off
    assert np.abs(corners.min(axis=0) - (columns[0], rows[0])).max() <= slack
    assert np.abs(corners.max(axis=0) - (columns[-1] + 1, rows[-1] + 1)).max() <= slack


def test_one_pixel_and_pixels_in_a_line() -> None:
    assert outer_polygon(np.ones((1, 1), bool)) == ((0, 0.5), (0.5, 0), (1, 0.5), (0.5, 1))
    assert outer_polygon(np.ones((1, 9), bool)) == ((0, 0.5), (0.5, 0), (8.5, 0), (9, 0.5), (8.5, 1), (0.5, 1))


def test_pixels_that_touch_by_a_corner_have_one_outline() -> None:
    corners = np.array(outer_polygon(np.eye(30, dtype=bool)[:, ::-1]))
    assert (corners.min(axis=0).tolist(), corners.max(axis=0).tolist()) == ([0, 0], [30, 30])
