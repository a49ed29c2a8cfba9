import numpy as np
import pytest

from agentad.generators.images.base import Defect


def bar(angle: float = 0.0, shift: float = 0.0) -> np.ndarray:
    """A dark bar, twice as thick at one end, turned by `angle` degrees on a light ground of 96 pixels."""
    rng = np.random.default_rng(round(angle) + 1000)
    y, x = np.mgrid[-48:48, -48:48] + 0.5
    a = np.radians(angle)
    along, across = np.cos(a) * x + np.sin(a) * y - shift, -np.sin(a) * x + np.cos(a) * y
    inside = (np.abs(along) < 34) & (np.abs(across) < np.where(along > 14, 16, 8))
    grey = np.where(inside, 70, 200) + rng.normal(0, 2, inside.shape)
    return np.repeat(np.clip(grey, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


@pytest.fixture(scope="session")
def bars():
    """Normal bars at several angles, and one upright bar with a red dot at its thin end."""
    image = bar()
    mask = np.zeros((96, 96), dtype=bool)
    mask[45:51, 20:26] = True
    image[mask] = (220, 30, 30)
    return [bar(angle) for angle in (0, 40, 110, 200, 300)], [Defect(image, mask, "dot")]


@pytest.fixture(scope="session")
def surface():
    """Noise that fills the image."""
    rng = np.random.default_rng(0)
    return [rng.normal(120, 8, (80, 64, 3)).clip(0, 255).astype(np.uint8) for _ in range(4)]
