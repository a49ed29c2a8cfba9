import numpy as np
import pytest
import torch
from transformers import Dinov2Model

from agentad.backbones import checkpoint
from agentad.backbones.dino import DinoPatches
from agentad.backbones.saved import load_encoder
from agentad.errors import InputError, WeightsMissing


def images(count=3):
    rng = np.random.default_rng(1)
    return [rng.integers(0, 256, (40 + 9 * i, 60, 3), dtype=np.uint8) for i in range(count)]


def test_shapes_and_lengths(tiny_installed):
    encoder = DinoPatches(blocks="1,2", size=56)
    assert (encoder.grid, encoder.channels) == ((4, 4), 24)
    found = encoder.encode(images())
    assert (found.shape, found.dtype) == ((3, 4, 4, 24), np.float16)
    lengths = np.linalg.norm(found.astype(np.float32).reshape(3, 4, 4, 2, 12), axis=-1)
    np.testing.assert_allclose(lengths, 1, atol=2e-3)


def test_no_images_are_no_features(tiny_installed):
    assert DinoPatches(blocks="1", size=28).encode([]).shape == (0, 2, 2, 12)


@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
def test_features_depend_on_the_image_alone(tiny_installed, dtype):
    encoder = DinoPatches(blocks="1,3", size=42, dtype=dtype)
    together = encoder.encode(images())
    np.testing.assert_array_equal(together, encoder.encode(images()))
    for number, image in enumerate(images()):
        np.testing.assert_array_equal(encoder.encode([image])[0], together[number])
    assert not np.array_equal(together[0], together[1])


def test_blocks_are_counted_from_one_and_later_ones_are_dropped(tiny_installed):
    """Block 2 means hidden_states[2] of the whole model in transformers, at the size of the position embeddings."""
    image = np.random.default_rng(2).integers(0, 256, (42, 42, 3), dtype=np.uint8)
    found = DinoPatches(blocks="2", size=42, dtype="float32").encode([image])
    whole = Dinov2Model.from_pretrained(tiny_installed)
    pixels = torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255
    pixels = (pixels - torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)) / torch.tensor([0.229, 0.224, 0.225]).view(
        3, 1, 1
    )
    with torch.inference_mode():
        tokens = whole(pixels, output_hidden_states=True).hidden_states[2][:, 1:]
    tokens = torch.nn.functional.normalize(tokens, dim=-1).reshape(1, 3, 3, 12)
    np.testing.assert_allclose(found, tokens.numpy(), atol=1e-3)


def test_rows_run_down_and_columns_run_right(tiny_installed):
    """A change in one corner of the image changes that corner's patch most."""
    encoder = DinoPatches(blocks="1", size=56, dtype="float32")
    plain = np.full((56, 56, 3), 100, np.uint8)
    marked = plain.copy()
    marked[:14, 42:] = 255
    change = np.abs(np.diff(encoder.encode([plain, marked]).astype(np.float32), axis=0))[0].sum(axis=-1)
    assert np.unravel_index(change.argmax(), change.shape) == (0, 3)


@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
def test_a_saved_encoder_needs_no_other_weights(tiny_installed, tmp_path, monkeypatch, dtype):
    encoder = DinoPatches(blocks="1,2", size=70, dtype=dtype)
    encoder.save(tmp_path / "saved")
    monkeypatch.delenv("AGENTAD_WEIGHTS")
    loaded = load_encoder(tmp_path / "saved")
    np.testing.assert_array_equal(loaded.encode(images()), encoder.encode(images()))
    assert checkpoint.verify(tmp_path / "saved").blocks == 2
    assert checkpoint.source(tmp_path / "saved")["licence"] == "Apache-2.0"


def test_a_damaged_saved_encoder_is_an_error(tiny_installed, tmp_path):
    DinoPatches(blocks="1", size=28).save(tmp_path / "saved")
    (tmp_path / "saved" / checkpoint.WEIGHTS).write_bytes(b"")
    with pytest.raises(WeightsMissing) as caught:
        DinoPatches.load(tmp_path / "saved")
    assert str(caught.value) == (
        f"weights in {tmp_path / 'saved'} cannot be used: model.safetensors does not have the SHA-256 that SOURCE.json "
        "records. Copy the folder again."
    )


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"blocks": "6,9"}, 'blocks "6,9": give different numbers from 1 to 3, such as "1,3"'),
        ({"blocks": "1,1"}, 'blocks "1,1": give different numbers from 1 to 3, such as "1,3"'),
        ({"blocks": ""}, 'blocks "": give different numbers from 1 to 3, such as "1,3"'),
        ({"blocks": "1", "size": 50}, "size 50: give a multiple of the patch side 14, such as 42 or 56"),
        ({"blocks": "1", "dtype": "int8"}, "dtype 'int8': give one of bfloat16, float32"),
    ],
)
def test_settings_that_cannot_be_are_named(tiny_installed, params, said):
    with pytest.raises(InputError) as caught:
        DinoPatches(**params)
    assert str(caught.value) == said


@pytest.mark.parametrize("shape", [(5, 5), (5, 5, 4), (0, 5, 3)])
def test_other_arrays_are_refused(tiny_installed, shape):
    with pytest.raises(InputError) as caught:
        DinoPatches(blocks="1", size=28).encode([np.zeros(shape, np.uint8)])
    assert str(caught.value) == (
        f"image: shape {shape} of uint8; an encoder takes uint8 RGB of shape (height, width, 3)"
    )


def test_threads_are_as_before(tiny_installed):
    before = torch.get_num_threads()
    DinoPatches(blocks="1", size=28).encode(images(1))
    assert torch.get_num_threads() == before


def test_nothing_is_written_to_the_streams(tiny_installed, tmp_path, capfd):
    DinoPatches(blocks="1", size=28).save(tmp_path / "saved")
    DinoPatches.load(tmp_path / "saved")
    assert capfd.readouterr() == ("", "")
