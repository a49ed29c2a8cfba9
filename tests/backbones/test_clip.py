import numpy as np
import pytest
import torch
from tiny_clip import tiny
from transformers import CLIPModel, SiglipModel

from agentad.backbones.clip import ClipPair, ClipVision
from agentad.errors import InputError, WeightsMissing

FAMILIES = {"clip": CLIPModel, "siglip": SiglipModel}


@pytest.fixture(params=list(FAMILIES))
def family(request):
    return request.param


@pytest.fixture
def folder(family, tmp_path):
    return tiny(family, tmp_path)


@pytest.fixture
def image():
    return np.random.default_rng(0).random((32, 32, 3)).astype(np.float32)


def test_an_image_is_embedded_as_the_library_does(family, folder, image):
    found = ClipPair(str(folder)).vision().image(image)
    model = FAMILIES[family].from_pretrained(folder).half().float().eval()
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in ([0.4, 0.5, 0.6], [0.2, 0.3, 0.4]))
    with torch.inference_mode():
        pixels = (torch.from_numpy(image).permute(2, 0, 1) - mean) / std
        expected = model.get_image_features(pixel_values=pixels[None]).pooler_output[0]
    np.testing.assert_allclose(found, expected / expected.norm(), atol=1e-5)


def test_a_window_sees_its_own_patches_alone(folder, image):
    vision = ClipPair(str(folder)).vision()
    assert vision.side == 4
    found = vision.windows(image, 2)
    assert found.shape[:2] == (3, 3)
    other = image.copy()
    other[16:] = 0  # the two lower rows of patches
    changed = np.abs(vision.windows(other, 2) - found).max(axis=-1)
    assert changed[0].max() < 1e-6
    assert changed[1:].min() > 1e-4
    np.testing.assert_allclose(vision.windows(image, 4)[0, 0], vision.image(image), atol=1e-5)


def test_sentences_have_length_one_and_differ(folder):
    found = ClipPair(str(folder)).sentences(["a photo of the damaged screw .", "a photo of the flawless screw ."])
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    assert not np.allclose(found[0], found[1], atol=1e-4)


def test_the_saved_tower_embeds_the_same(folder, image, tmp_path):
    vision = ClipPair(str(folder)).vision()
    (tmp_path / "saved").mkdir()
    vision.save(tmp_path / "saved")
    loaded = ClipVision.load(tmp_path / "saved")
    np.testing.assert_array_equal(loaded.windows(image, 2), vision.windows(image, 2))
    assert loaded.temperature == vision.temperature


def test_random_weights_are_recognised(family, tmp_path):
    assert ClipPair(str(tiny(family, tmp_path / "random"))).vision().untrained
    assert not ClipPair(str(tiny(family, tmp_path / "trained", trained=True))).vision().untrained


def test_what_is_no_model_is_named(tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(InputError) as caught:
        ClipPair("openai/clip")
    assert str(caught.value) == (
        "model 'openai/clip': give the folder of a CLIP or SigLIP model, or its hub id with the 40 digits of the "
        "commit, owner/name@…"
    )
    with pytest.raises(WeightsMissing, match=r"download it on a connected machine, with model\.safetensors"):
        ClipPair(str(empty))
    (tmp_path / "config.json").write_text('{"model_type": "bert"}', encoding="utf-8")
    with pytest.raises(InputError, match=r"of type 'bert'; give one of clip, siglip$"):
        ClipPair(str(tmp_path))
