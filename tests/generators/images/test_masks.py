from typing import get_args

import numpy as np
import pytest

from agentad.errors import InputError
from agentad.flow import Brief
from agentad.flow.brief import Shape
from agentad.generators.images.masks import Outlines, area
from agentad.generators.images.shapes import drawn, rectangle, torn


@pytest.mark.parametrize("shape", get_args(Shape))
@pytest.mark.parametrize("wanted", [60, 900])
def test_shapes_have_the_area_that_was_asked_for(shape, wanted):
    mask = drawn(shape, wanted, np.random.default_rng(3))
    assert 0.8 < mask.sum() / wanted < 1.25
    assert mask[0].any() and mask[-1].any() and mask[:, 0].any() and mask[:, -1].any()


def test_lines_are_thin_and_holes_round():
    rng = np.random.default_rng(0)
    filled = {shape: drawn(shape, 600, rng).sum() / max(drawn(shape, 600, rng).shape) ** 2 for shape in get_args(Shape)}
    assert max(filled["scratch"], filled["crack"]) < 0.25 < min(filled["hole"], filled["stain"])


@pytest.mark.parametrize("drawing", [torn, rectangle])
def test_other_drawings_have_their_area(drawing):
    assert 0.9 < drawing(400, np.random.default_rng(1)).sum() / 400 < 1.1


def test_places(bars):
    normal, defects = bars
    scene = Outlines().fit(normal, defects).scene(normal[0])
    whole, centre, edge = (area(place, scene) for place in ("object", "centre", "edge"))
    assert np.array_equal(whole, scene.object)
    assert area("anywhere", scene).all()
    assert (whole | centre | edge).sum() == whole.sum()
    assert centre[48, 48] and not edge[48, 48]
    assert not centre[48, 16] and edge[48, 15]


def test_a_defect_keeps_its_place_on_an_object_that_lies_otherwise(bars):
    normal, defects = bars
    outlines, rng = Outlines().fit(normal, defects), np.random.default_rng(0)
    for image, angle in zip(normal, (0, 40, 110, 200, 300), strict=True):
        scene = outlines.scene(image)
        for _ in range(4):
            outline = outlines.draw(Brief(kind="dot"), scene, rng)
            assert outline is not None and (outline.anomaly, outline.kind) == (0, "dot")
            y, x = np.argwhere(outline.mask).mean(axis=0) - 47.5
            along = np.cos(np.radians(angle)) * x + np.sin(np.radians(angle)) * y
            assert -36 < along < -12  # it was at -25, at the thin end
            assert scene.object[outline.mask].mean() > 0.8


@pytest.mark.parametrize("place", ["object", "centre", "edge", "anywhere"])
def test_size_and_place_are_kept(bars, place):
    normal, defects = bars
    outlines, rng = Outlines().fit(normal, defects), np.random.default_rng(0)
    scene = outlines.scene(normal[0])
    found = [outlines.draw(Brief(place=place, size=(0.005, 0.01)), scene, rng) for _ in range(5)]
    assert any(found)
    for outline in filter(None, found):
        assert 0.005 <= outline.mask.mean() <= 0.01
        assert place == "anywhere" or scene.object[outline.mask].mean() > 0.8


def test_what_does_not_fit_is_none(bars):
    normal, defects = bars
    outlines = Outlines().fit(normal, defects)
    scene = outlines.scene(normal[0])
    assert outlines.draw(Brief(shape="stain", size=(0.8, 0.9)), scene, np.random.default_rng(0)) is None


def test_what_cannot_be_drawn_is_said(bars):
    normal, defects = bars
    scene = Outlines().fit(normal, []).scene(normal[0])
    with pytest.raises(InputError, match="give the brief a shape"):
        Outlines().fit(normal, []).draw(Brief(), scene, np.random.default_rng(0))
    with pytest.raises(InputError, match="no real defect is of type 'hole'; there are: dot"):
        Outlines().fit(normal, defects).draw(Brief(kind="hole"), scene, np.random.default_rng(0))
    with pytest.raises(InputError, match="no normal image"):
        Outlines().fit([], defects)
