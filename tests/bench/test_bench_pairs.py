import numpy as np
import pytest
from PIL import Image

from agentad.bench import bench_images
from agentad.bench.pairs import PLAIN, holds_pairs

pytestmark = pytest.mark.usefixtures("no_weights")


@pytest.fixture
def boards(tmp_path):
    """Twelve pairs of 64 x 64; each image has a spot 12 pixels wide that its template has not."""
    root, rng, lines = tmp_path / "boards", np.random.default_rng(0), ["id,x1,y1,x2,y2,type"]
    root.mkdir()
    for i in range(12):
        image = np.full((64, 64), 255, np.uint8)
        image[:, 10 + i : 30] = 0
        Image.fromarray(image).save(root / f"{i}_temp.png")
        x, y = (int(v) for v in rng.integers(4, 48, 2))
        image[y : y + 12, x : x + 12] = 128
        Image.fromarray(image).save(root / f"{i}_test.png")
        lines.append(f"{i},{x},{y},{x + 12},{y + 12},spot")
    (root / "boxes.csv").write_text("\n".join(lines), encoding="utf-8")
    return root


def test_pairs_are_judged_by_pixel_and_by_box(boards):
    assert holds_pairs(boards)
    found = bench_images(boards)
    assert [(row["dataset"], row["detector"]) for row in found["rows"]] == [
        ("boards", "default"),
        ("boards", "template-distance"),
        ("boards", PLAIN),
    ]
    row = found["rows"][0]
    assert (row["tool"], row["encoder"], row["learned"] + row["judged"]) == ("template-distance", "pixel-blocks", 12)
    assert row["pixel_ap"] > 0.5
    assert row["box_f1"] > 0.9
    assert row["boxes"] == row["judged"]
