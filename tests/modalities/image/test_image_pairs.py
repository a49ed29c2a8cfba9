import numpy as np
import pytest
from PIL import Image

from agentad.modalities.image import open_images
from agentad.modalities.image.layout import arrange
from agentad.modalities.image.pairs import find_templates
from agentad.modalities.image.register import onto


def board(seed=0, size=96):
    """Dark tracks and pads on white, uint8 (size, size, 3)."""
    rng = np.random.default_rng(seed)
    image = np.full((size, size, 3), 255, np.uint8)
    for _ in range(6):
        y, x = rng.integers(8, size - 24, 2)
        image[y : y + 6, x : x + 20] = 0
        image[x : x + 18, y : y + 5] = 0
    return image


@pytest.fixture
def pairs(tmp_path):
    """Three pairs; the second image has a spot at 10..18, 20..28, of which boxes.csv tells."""
    root = tmp_path / "boards"
    root.mkdir()
    for i in range(3):
        image = board(i)
        Image.fromarray(image).save(root / f"{i}_temp.png")
        if i == 1:
            image[20:28, 10:18] = 128
        Image.fromarray(image).save(root / f"{i}_test.png")
    return root


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["1_temp", "1_test", "2_temp", "2_test"], {"1_test": "1_temp", "2_test": "2_temp"}),
        (["a", "a_template", "b", "b-ref"], {"a": "a_template", "b": "b-ref"}),
        (["template/a", "test/a", "template/b", "test/b"], {"test/a": "template/a", "test/b": "template/b"}),
        (["reference/x", "images/a", "images/b"], {"images/a": "reference/x", "images/b": "reference/x"}),
        (["a", "b", "c", "c_ref"], {}),  # one stray name among many makes no pairs
        (["room_temp", "hall"], {}),
        (["a_ref", "a-ref", "a"], {}),  # which of the two?
    ],
)
def test_templates_are_found_by_name(names, expected):
    paths = [(tuple(name.split("/")[:-1]), name.split("/")[-1]) for name in names]
    assert {names[i]: names[t] for i, t in find_templates(paths).items()} == expected


def test_templates_are_no_images_of_the_arrangement():
    found = arrange(["1_temp.png", "1_test.png"])
    assert (found.images, found.template, found.label, found.paired) == ([1], [0], [-1], True)


def test_pairs_are_items_with_a_template(pairs):
    data = open_images(pairs)
    assert data.items.id.tolist() == ["0_test.png", "1_test.png", "2_test.png"]
    assert data.items.label.tolist() == [-1, -1, -1]
    assert (data.profile.layout, data.profile.image.pairs, data.paired) == ("pairs", 3, True)
    np.testing.assert_array_equal(data.template(2), board(2))
    assert data.mask(1) is None


def test_boxes_are_ground_truth(pairs):
    before = open_images(pairs).profile.fingerprint
    (pairs / "boxes.csv").write_text("id,x1,y1,x2,y2,type\n1,10,20,18,28,spot\n9,1,1,2,2,spot\n", encoding="utf-8")
    data = open_images(pairs)
    assert data.profile.fingerprint != before
    assert (data.items.label.tolist(), data.items.kind.tolist()) == ([0, 1, 0], ["", "spot", ""])
    mask = data.mask(1)
    assert mask[20:28, 10:18].all()
    assert mask.sum() == 64
    assert not data.mask(0).any()
    assert data.profile.notes == (
        "3 pairs of an image and its template; templates are compared with, not scored",
        "1 names in boxes.csv belong to no image",
        "1 boxes of defects in 1 images, from boxes.csv",
        "2 images that boxes.csv does not name are taken as normal",
    )
    assert data.profile.skipped == ()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("id,x1,y1,x2\n1,1,1,2\n", "no column y2 (it needs id, x1, y1, x2, y2); ground truth left out"),
        ("id,x1,y1,x2,y2\n1,1,one,2,2\n", "line 2: y1 is one, not a pixel; ground truth left out"),
        ("id,x1,y1,x2,y2\n1,1,1,2,inf\n", "line 2: y2 is inf, not a pixel; ground truth left out"),
        ("id,x1,y1,x2,y2\n1,5,1,2,2\n", "line 2: the box 5,1,2,2 is empty; ground truth left out"),
    ],
)
def test_boxes_that_cannot_be_used_are_left_out_with_the_reason(pairs, text, reason):
    (pairs / "boxes.csv").write_text(text, encoding="utf-8")
    data = open_images(pairs)
    assert [(s.path, s.reason) for s in data.profile.skipped] == [("boxes.csv", reason)]
    assert data.mask(1) is None


def test_an_image_without_a_usable_template_is_left_out(pairs):
    (pairs / "0_temp.png").write_bytes(b"broken")
    Image.fromarray(board(7)).save(pairs / "7_test.png")
    data = open_images(pairs)
    assert data.items.id.tolist() == ["1_test.png", "2_test.png"]
    assert [s.path for s in data.profile.skipped] == ["0_test.png", "7_test.png"]
    assert data.profile.skipped[1].reason == "no template for it among the pairs; add one to have it compared"


def test_a_shifted_template_is_moved_onto_the_image():
    image = board(3, 160)
    moved = np.roll(image, (3, -2), axis=(0, 1))
    before = np.abs(moved.astype(int) - image)[12:-12, 12:-12].mean()
    after = np.abs(onto(moved, image).astype(int) - image)[12:-12, 12:-12].mean()
    assert after < 0.3 * before
    np.testing.assert_array_equal(onto(image, image), image)
    assert onto(board(3, 80), image).shape == image.shape
