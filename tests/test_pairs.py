"""Pairs of an image and its template, from a sentence to a detector that scores new pairs."""

import numpy as np
import pytest
from PIL import Image

import agentad
from agentad.errors import InputError

pytestmark = pytest.mark.usefixtures("no_weights")


def draw(root, names, *, spot=()):
    root.mkdir(parents=True)
    for i in names:
        image = np.full((64, 64), 255, np.uint8)
        image[:, 10 + i : 30 + i] = 0
        Image.fromarray(image).save(root / f"{i}_temp.png")
        if i in spot:
            image[20:30, 40:50] = 128
        Image.fromarray(image).save(root / f"{i}_test.png")
    return root


def test_boards_with_boxes_are_compared_and_new_ones_too(tmp_path):
    root = draw(tmp_path / "boards", range(8), spot=(1, 4))
    (root / "boxes.csv").write_text("id,x1,y1,x2,y2\n1,40,20,50,30\n4,40,20,50,30\n", encoding="utf-8")
    report = agentad.run("compare these boards with their templates", data=root, planner="rules")
    assert (report.plan.encoder.tool, report.plan.detector.tool) == ("pixel-blocks", "template-distance")
    assert (report.profile.layout, report.profile.items) == ("pairs", 8)
    assert report.metrics["template-distance"].pixel_ap > 0.5
    new = draw(tmp_path / "new", range(3), spot=(2,))
    loaded = agentad.load(report.detector)
    scores = {item.id: item.score for item in loaded.score(new)}
    assert max(scores, key=scores.get) == "2_test.png"
    (new / "0_temp.png").rename(new / "zero.png")
    (new / "1_temp.png").rename(new / "one.png")
    (new / "2_temp.png").rename(new / "two.png")
    with pytest.raises(InputError, match=r"^0_test\.png: no template to compare it with; give pairs"):
        loaded.score(new)
