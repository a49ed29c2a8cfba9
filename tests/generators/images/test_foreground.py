import numpy as np
import pytest

from agentad.generators.images.foreground import Foreground, otsu, pose, turn_between


def test_an_object_is_found_on_a_plain_ground(bars):
    normal, _ = bars
    found = Foreground.fit(normal).of(normal[0])
    true = normal[0][..., 0] < 135
    assert (found & true).sum() / (found | true).sum() > 0.9


def test_a_surface_is_all_object(surface):
    foreground = Foreground.fit(surface)
    assert foreground.threshold is None
    assert foreground.of(surface[0]).all()


def test_a_shade_that_fades_is_no_object():
    ramp = np.repeat(np.tile(np.linspace(60, 220, 64), (64, 1)).astype(np.uint8)[..., None], 3, axis=2)
    assert Foreground.fit([ramp]).threshold is None


def test_large_images_are_looked_at_in_small_and_answered_in_full(bars):
    normal, _ = bars
    large = normal[0].repeat(6, axis=0).repeat(6, axis=1)[:571]
    found = Foreground.fit([large]).of(large)
    assert found.shape == large.shape[:2]
    assert 0.8 < found.sum() / (large[..., 0] < 135).sum() < 1.25


@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_the_pose_follows_the_object_and_knows_its_heavy_end(bars, k):
    normal, _ = bars
    foreground = Foreground.fit(normal)
    poses = [pose(foreground.of(image)) for image in normal]
    turn = -np.degrees(turn_between(poses[0], poses[k]))  # rows run downwards
    assert abs((turn - (0, 40, 110, 200, 300)[k] + 180) % 360 - 180) < 5


def test_otsu_parts_two_classes():
    threshold, explained = otsu(np.r_[np.zeros(50), np.full(50, 10.0)])
    assert 0 < threshold < 10
    assert explained == pytest.approx(1)
    assert otsu(np.ones(9))[1] == 0
