import numpy as np
import pytest

from agentad.modalities.image.augment import AUGMENTATIONS, augmented, turned


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 256, (9, 9, 3)).astype(np.uint8)


def test_turns_by_a_quarter_move_every_pixel_of_a_square(image):
    for quarters in range(1, 4):
        np.testing.assert_array_equal(turned(image, 90 * quarters), np.rot90(image, quarters))


def test_a_small_turn_is_counter_clockwise_and_repeats_the_border():
    image = np.zeros((41, 41, 3), np.uint8)
    image[18:23, 36:] = 200  # right of the middle; goes up
    copy = turned(image, 20)
    rows, _ = np.nonzero(copy[..., 0] > 100)
    assert rows.mean() < 16
    flat = np.full((5, 8, 3), 77, np.uint8)
    np.testing.assert_array_equal(turned(flat, 30), flat)


@pytest.mark.parametrize(("how", "count"), [("none", 0), ("small", 2), ("flips", 2), ("turns", 7), ("all", 11)])
@pytest.mark.parametrize("shape", [(9, 9), (6, 11), (1, 1), (1, 300)])
def test_copies_have_the_size_of_their_image(how, count, shape):
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3)).astype(np.uint8)
    copies = list(augmented(image, how))
    assert [(copy.shape, copy.dtype) for copy in copies] == [(image.shape, np.uint8)] * count


def test_no_copy_is_the_image_or_another_copy(image):
    seen = [image.tobytes(), *(copy.tobytes() for copy in augmented(image, "all"))]
    assert len(set(seen)) == 12


def test_the_card_offers_them_all():
    from agentad.tools.cards import load_cards

    assert load_cards()["few-shot-bank"].params["augment"].choices == tuple(AUGMENTATIONS)
