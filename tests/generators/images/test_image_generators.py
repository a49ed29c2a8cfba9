from typing import get_args

import numpy as np
import pytest

from agentad.errors import InputError
from agentad.flow import Brief
from agentad.flow.brief import Shape
from agentad.generators.images.foreground import Foreground
from agentad.generators.images.manipulated import ManipulatedNormals
from agentad.generators.images.paste import ResidualPaste

GENERATORS = [ResidualPaste, ManipulatedNormals]


@pytest.mark.parametrize("generator", GENERATORS)
def test_images_change_in_their_masks_and_nowhere_else(bars, generator):
    normal, defects = bars
    made = generator().fit(normal, defects).sample([Brief()] * 15, [k % 5 for k in range(15)])
    found = [drawn for drawn in made if drawn is not None]
    assert len(found) >= 12
    for drawn in found:
        base = normal[drawn.normal]
        assert drawn.image.dtype == np.uint8 and drawn.image.shape == base.shape
        assert drawn.mask.any()
        assert np.array_equal(drawn.image[~drawn.mask], base[~drawn.mask])
        assert np.abs(drawn.image[drawn.mask].astype(int) - base[drawn.mask]).mean() > 8


@pytest.mark.parametrize("generator", GENERATORS)
def test_the_seed_decides(bars, generator):
    normal, defects = bars
    fitted = generator().fit(normal, defects)
    first, again, other = (fitted.sample([Brief()] * 3, [0, 1, 2], seed=seed) for seed in (1, 1, 2))
    assert all(np.array_equal(a.image, b.image) for a, b in zip(first, again, strict=True))
    assert any(not np.array_equal(a.mask, b.mask) for a, b in zip(first, other, strict=True))


def test_a_pasted_dot_is_red_and_on_the_object(bars):
    normal, defects = bars
    foreground = Foreground.fit(normal)
    made = ResidualPaste().fit(normal, defects).sample([Brief(kind="dot")] * 10, [k % 5 for k in range(10)])
    for drawn in made:
        assert drawn is not None and (drawn.anomaly, drawn.kind) == (0, "dot")
        assert foreground.of(normal[drawn.normal])[drawn.mask].mean() > 0.8
        red, green, _ = drawn.image[drawn.mask].astype(float).T
        assert (red - green).max() > 150


@pytest.mark.parametrize("generator", GENERATORS)
@pytest.mark.parametrize("shape", get_args(Shape))
def test_each_shape_is_drawn_within_its_size(surface, bars, generator, shape):
    brief = Brief(shape=shape, size=(0.01, 0.05))
    made = generator().fit(surface, bars[1]).sample([brief] * 4, [0, 1, 2, 3])
    found = [drawn for drawn in made if drawn is not None]
    assert len(found) >= 3
    assert all(0.01 <= drawn.mask.mean() <= 0.05 for drawn in found)


def test_strength_scales_the_change(bars):
    normal, defects = bars
    fitted = ResidualPaste().fit(normal, defects)
    weak, full = (fitted.sample([Brief(strength=(s, s))], [0])[0].image.astype(int) - normal[0] for s in (0.5, 1.0))
    assert 0.4 < np.abs(weak).max() / np.abs(full).max() < 0.6


@pytest.mark.parametrize("generator", GENERATORS)
def test_what_has_no_place_is_none(bars, generator):
    normal, defects = bars
    fitted = generator().fit(normal, defects)
    assert fitted.sample([Brief(shape="stain", size=(0.8, 0.9))], [0]) == [None]
    assert fitted.sample([Brief(shape="hole", strength=(0.001, 0.001))], [0]) == [None]


def test_manipulated_normals_name_the_shape_that_was_asked_for(bars):
    normal, _ = bars
    made = ManipulatedNormals().fit(normal, []).sample([Brief(shape="hole"), Brief()], [0, 1])
    assert [(drawn.anomaly, drawn.kind) for drawn in made] == [(-1, "hole"), (-1, "")]


def test_a_grey_image_stays_grey(bars):
    normal, _ = bars
    for drawn in ManipulatedNormals().fit(normal, []).sample([Brief()] * 9, [0] * 9):
        assert drawn is None or np.ptp(drawn.image[drawn.mask].astype(int), axis=-1).max() == 0


def test_bad_briefs_and_too_few_defects_are_refused(bars):
    normal, defects = bars
    with pytest.raises(InputError, match="use manipulated-normals"):
        ResidualPaste().fit(normal, [])
    with pytest.raises(InputError, match="no real defect is of type 'x'; there are: dot"):
        ResidualPaste().fit(normal, defects).sample([Brief(kind="x")], [0])
    with pytest.raises(InputError, match="no real defect is of type 'x'; there are: no real defects"):
        ManipulatedNormals().fit(normal, []).sample([Brief(kind="x")], [0])
