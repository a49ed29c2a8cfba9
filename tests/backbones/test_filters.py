import numpy as np
import pytest

from agentad.backbones.filters import PatchFilters
from agentad.backbones.saved import load_encoder
from agentad.errors import DetectorRefused, InputError


def noise(seed, size=56):
    return np.random.default_rng(seed).integers(90, 110, (size, size, 3), dtype=np.uint8)


def test_shapes_and_determinism():
    encoder = PatchFilters(size=56, patch=14)
    found = encoder.encode([noise(0), noise(1, 90)])
    assert (encoder.grid, encoder.channels) == ((4, 4), 36)
    assert (found.shape, found.dtype) == ((2, 4, 4, 36), np.float16)
    np.testing.assert_array_equal(found[1], encoder.encode([noise(1, 90)])[0])


def test_a_flat_image_has_its_colour_and_no_structure():
    found = PatchFilters(size=28, patch=14).encode([np.full((28, 28, 3), (255, 0, 0), np.uint8)]).astype(np.float32)
    np.testing.assert_allclose(found[..., :3], np.broadcast_to([1 / 3, 0.5, 0.25], (1, 2, 2, 3)), atol=1e-3)
    np.testing.assert_allclose(found[..., 3:], 0, atol=5e-4)  # truncated kernels do not quite sum to 0


def test_a_scratch_stands_out_from_what_normals_do():
    encoder = PatchFilters(size=56, patch=14)
    normal = encoder.encode([noise(seed) for seed in range(6)]).astype(np.float32)
    scratched = noise(9)
    scratched[16:26, 45] = 255
    found = encoder.encode([scratched]).astype(np.float32)[0]
    distance = np.linalg.norm((found - normal.mean(axis=0)) / (normal.std(axis=(0, 1, 2)) + 1e-3), axis=-1)
    assert np.unravel_index(distance.argmax(), distance.shape) == (1, 3)
    assert distance.max() > 2 * np.median(distance)


def test_a_saved_encoder_is_the_same(tmp_path):
    encoder = PatchFilters(size=42, patch=7)
    encoder.save(tmp_path / "saved")
    loaded = load_encoder(tmp_path / "saved")
    np.testing.assert_array_equal(loaded.encode([noise(0)]), encoder.encode([noise(0)]))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"name": "patch-filters", "size": 28}', "patch is absent or damaged; copy the whole detector folder again"),
        ('{"name": "resnet"}', "encoder 'resnet' is not known to this version; update agentad"),
        ("[]", "name is absent or damaged; copy the whole detector folder again"),
    ],
)
def test_other_folders_are_refused(tmp_path, content, said):
    (tmp_path / "encoder.json").write_text(content)
    with pytest.raises(DetectorRefused) as caught:
        load_encoder(tmp_path)
    assert str(caught.value) == f"{tmp_path / 'encoder.json'}: {said}"


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"size": 30, "patch": 14}, "size 30: give a multiple of the patch side 14, such as 28 or 42"),
        ({"patch": 0}, "patch 0: give a number of pixels from 1"),
    ],
)
def test_settings_that_cannot_be_are_named(params, said):
    with pytest.raises(InputError) as caught:
        PatchFilters(**params)
    assert str(caught.value) == said
