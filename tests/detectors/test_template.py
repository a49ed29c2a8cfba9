import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from agentad.detectors.template_diffusion import TemplateDiffusion
from agentad.detectors.template_distance import TemplateDistance, difference
from agentad.errors import InputError


def pairs(n, seed=0, *, defects=False):
    """Pairs (n, 16, 16, 2) of noisy stripes and their templates, shifted by a cell; and where a bright spot is."""
    rng = np.random.default_rng(seed)
    x, mask = np.zeros((n, 16, 16, 2), np.float32), np.zeros((n, 16, 16), bool)
    for item, marked in zip(x, mask, strict=True):
        template = np.tile((np.arange(16) // 8 == rng.integers(2)).astype(np.float32), (16, 1))
        item[..., 1] = template
        # at the edges of stripes normal images are noisy, elsewhere they are not
        edge = np.abs(np.gradient(template, axis=1)) > 0
        item[..., 0] = np.roll(template, rng.integers(-1, 2), axis=1) + edge * rng.normal(0, 0.3, template.shape)
        if defects:
            y, z = rng.integers(2, 12, 2)
            marked[y : y + 2, z : z + 2] = True
            item[marked, 0] = 1.35
    return x, mask


def tiny(**settings):
    small = {"width": 32, "steps": 200, "sample": 4000, "patch": 1, "blur": 0.0, "grow": 0, "sigma": 1.0, "trim": 0.0}
    return TemplateDiffusion(**small | settings)


@pytest.fixture(scope="module")
def fitted():
    return tiny().fit(pairs(20)[0])


def test_range_forgives_shifts_and_sees_what_is_not_near_by():
    pair = np.zeros((5, 5, 2), np.float32)
    pair[:, 2, 1] = 1  # a line in the template, one cell to the left in the image
    pair[:, 1, 0] = 1
    pair[4, 4, 0] = 0.5  # nothing near it
    found = difference(pair, 3, "range")[..., 0]
    assert found[4, 4] == 0.5
    assert np.abs(found).sum() == 0.5
    assert np.abs(difference(pair, 1, "range")).sum() == 10.5


def test_nearest_is_the_way_from_the_nearest_vector():
    pair = np.zeros((1, 3, 4), np.float32)
    pair[0, 1, :2] = (3, 4)
    pair[0, 2, 2:] = (3, 0)
    np.testing.assert_array_equal(difference(pair, 3, "nearest")[0, 1], (0, 4))


def test_distance_finds_the_spot_and_learns_nothing():
    x, mask = pairs(10, 1, defects=True)
    detector = TemplateDistance(patch=1, blur=0, grow=0).fit(pairs(4)[0])
    assert roc_auc_score(mask.ravel(), detector.score(x).local.ravel()) > 0.85
    again = TemplateDistance.restore(detector.state()).score(x)
    np.testing.assert_array_equal(again.item, detector.score(x).item)
    assert len(set(again.item)) > 1


def test_diffusion_beats_its_untrained_self_and_the_distance(fitted):
    x, mask = pairs(10, 1, defects=True)
    learned, plain, untrained = (
        roc_auc_score(mask.ravel(), d.score(x).local.ravel())
        for d in (fitted, TemplateDistance(patch=1, blur=0, grow=0), tiny(steps=1).fit(pairs(20)[0]))
    )
    assert learned > plain
    assert learned > untrained


def test_diffusion_restored_scores_the_same(fitted):
    x, _ = pairs(4, 1, defects=True)
    np.testing.assert_array_equal(TemplateDiffusion.restore(fitted.state()).score(x).local, fitted.score(x).local)
    again = tiny().fit(pairs(20)[0])
    np.testing.assert_array_equal(again.held_out.item, fitted.held_out.item)


@pytest.mark.parametrize("detector", [TemplateDistance(patch=2, blur=0, grow=0), tiny(patch=2, steps=20)])
def test_known_defects_are_left_out_of_what_normals_score(detector):
    x, mask = pairs(8, 2, defects=True)
    detector.fit(x, defects=mask)
    assert (detector.held_out_normal.item <= detector.held_out.item).all()
    assert (detector.held_out_normal.item < detector.held_out.item).any()
    assert detector.held_out.local.shape == (8, 8, 8)
    detector.fit(x)
    assert detector.held_out_normal is None


def test_what_is_no_pair_is_refused():
    with pytest.raises(InputError) as caught:
        TemplateDistance().fit(np.zeros((2, 4, 4, 3), np.float32))
    assert str(caught.value) == (
        "encoded items of shape (2, 4, 4, 3) are no pairs: give images with templates, such as 1_temp.png beside "
        "1_test.png"
    )
    with pytest.raises(InputError, match=r"^patch 3: has to divide the encoder's grid of 4 x 4 cells$"):
        TemplateDiffusion(patch=3).fit(np.zeros((2, 4, 4, 2), np.float32))
    with pytest.raises(InputError, match=r"^neighbourhood 4: give an odd number of cells"):
        TemplateDistance(neighbourhood=4)
