import numpy as np
import pytest


@pytest.fixture
def labelled(tmp_path):
    """A table of points on a parabola, and a few labelled ones off it."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=90)
    y = x**2 + rng.normal(0, 0.1, 90)
    y[:10] += 3
    rows = [f"{a:.4f},{b:.4f},{int(i < 10)}" for i, (a, b) in enumerate(zip(x, y, strict=True))]
    path = tmp_path / "points.csv"
    path.write_text("\n".join(["x,y,label", *rows]) + "\n", encoding="utf-8")
    return path
