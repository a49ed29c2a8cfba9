import numpy as np
import pytest


@pytest.fixture
def tables(tmp_path):
    """Two tables in which every anomaly is far from everything, in two layouts, and one table without labels."""
    root = tmp_path / "tables"
    root.mkdir()
    rng = np.random.default_rng(0)
    normal = rng.normal(size=(120, 3))
    far = rng.normal(size=(6, 3)) * 2 + 40 * np.where(rng.random((6, 3)) < 0.5, -1, 1) * (1 + np.arange(6)[:, None])
    x, y = np.concatenate([normal, far]), np.repeat([0, 1], [120, 6])
    np.savez(root / "far.npz", X=x, y=y)
    lines = ["a,b,c,anomaly", *(f"{a:.6f},{b:.6f},{c:.6f},{label}" for (a, b, c), label in zip(x, y, strict=True))]
    (root / "wide.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (root / "index.csv").write_text("name,size\none,1\ntwo,2\n", encoding="utf-8")
    return root
