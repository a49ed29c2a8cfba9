"""No test reaches the network, a user's cache, or the folder it was started from."""

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(autouse=True)
def alone(tmp_path, monkeypatch):
    monkeypatch.setenv("AGENTAD_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("AGENTAD_OFFLINE", "1")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("OMP_WAIT_POLICY", "PASSIVE")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "LANGSMITH_TRACING", "LANGCHAIN_TRACING_V2"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def no_weights(tmp_path, monkeypatch):
    """A machine without pretrained weights."""
    monkeypatch.setenv("AGENTAD_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("AGENTAD_WEIGHTS", raising=False)


@pytest.fixture
def curve(tmp_path):
    """A table whose 240 normal rows lie on a noisy parabola and whose last 12 lie off it, in `y` only."""
    rng = np.random.default_rng(0)
    x = rng.uniform(-2, 2, 252)
    y = x**2 + rng.normal(0, 0.05, 252)
    y[240:] += rng.choice([-1.5, 1.5], 12)
    colour = rng.choice(["red", "green"], 252)
    path = tmp_path / "curve.csv"
    lines = [f"{a:.5f},{b:.5f},{c},{int(i >= 240)}" for i, (a, b, c) in enumerate(zip(x, y, colour, strict=True))]
    path.write_text("\n".join(["x,y,colour,anomaly", *lines]) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def spots(tmp_path):
    """Small striped images in MVTec layout; the anomalous ones hold a bright 8 x 8 square at a known place."""
    rng = np.random.default_rng(0)
    root = tmp_path / "spots"

    def draw(folder, name, at=None):
        wave = 120 + 30 * np.sin(np.arange(64) / 3 + rng.uniform(0, 6))
        image = np.repeat(wave[:, None], 64, 1) + rng.normal(0, 4, (64, 64))
        if at is not None:
            image[at[1] : at[1] + 8, at[0] : at[0] + 8] = 250
            mask = np.zeros((64, 64), np.uint8)
            mask[at[1] : at[1] + 8, at[0] : at[0] + 8] = 255
            (root / "ground_truth" / "spot").mkdir(parents=True, exist_ok=True)
            Image.fromarray(mask).save(root / "ground_truth" / "spot" / f"{name}_mask.png")
        (root / folder).mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.clip(image, 0, 255).astype(np.uint8)).save(root / folder / f"{name}.png")

    for i in range(16):
        draw("train/good", f"{i:02}")
    for i in range(4):
        draw("test/good", f"{i:02}")
        draw("test/spot", f"{i:02}", at=(8 + 10 * i, 40 - 8 * i))
    return root
