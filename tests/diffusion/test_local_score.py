import numpy as np
import pytest

from agentad.diffusion.local_score import References, paint, patches_at


@pytest.fixture
def stripes():
    """Black and white columns, two wide, and everywhere as the places of references."""
    image = np.zeros((24, 24, 3), np.float32)
    image[:, np.arange(24) // 2 % 2 == 0] = 1
    return image, np.ones((24, 24), bool)


def test_without_noise_a_patch_becomes_the_nearest_one():
    rng = np.random.default_rng(0)
    references = References.of([rng.random((12, 12, 3), dtype=np.float32)], [np.ones((12, 12), bool)], 3, 1000, 0)
    query = references.patches[[5, 70]] + rng.normal(0, 0.02, (2, 27)).astype(np.float32)
    assert np.allclose(references.denoise(query, 0.01), references.middles[[5, 70]], atol=1e-6)


def test_with_endless_noise_it_is_the_mean(stripes):
    references = References.of(*([part] for part in stripes), 3, 10_000, 0)
    assert np.allclose(references.denoise(references.patches[:2], 1e4), references.middles.mean(axis=0), atol=1e-3)


def test_between_it_is_the_posterior_mean():
    references = References(np.array([[0.0], [1.0]], np.float32), np.array([[0.0], [1.0]], np.float32))
    sigma, x = 0.5, 0.8
    weight = np.exp(-(x**2) / (2 * sigma**2)), np.exp(-((1 - x) ** 2) / (2 * sigma**2))
    found = references.denoise(np.array([[x]], np.float32), sigma)
    assert found[0, 0] == pytest.approx(weight[1] / sum(weight), abs=1e-5)


def test_patches_hold_what_surrounds_a_pixel():
    image = np.arange(25, dtype=np.float32).reshape(5, 5, 1)
    assert patches_at(image, np.array([[2, 2]]), 3)[0].tolist() == [6, 7, 8, 11, 12, 13, 16, 17, 18]
    assert patches_at(image, np.array([[0, 0]]), 3)[0].tolist() == [0, 0, 1, 0, 0, 1, 5, 5, 6]


def test_stripes_are_painted_into_a_hole(stripes):
    image, everywhere = stripes
    mask = np.zeros((24, 24), bool)
    mask[8:15, 8:15] = True
    hole = np.where(mask[..., None], 0.5, image).astype(np.float32)
    painted = paint(hole, mask, [(image, everywhere)], highest=0.3, seed=(3,))
    assert np.array_equal(painted[~mask], image[~mask])
    assert np.abs(painted - image)[mask].mean() < 0.1 < 0.49 < np.abs(hole - image)[mask].mean()
