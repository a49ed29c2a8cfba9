"""Every family against transformers' own model of it, tiny and with random weights."""

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from transformers import DINOv3ViTConfig, DINOv3ViTModel, SiglipVisionConfig, SiglipVisionModel

from agentad.backbones import checkpoint, fetch
from agentad.backbones.dino import Dino3Patches, SiglipPatches
from agentad.backbones.saved import load_encoder
from agentad.backbones.vit_layout import FAMILIES, Vit, config, expected_shapes, sizes_of
from agentad.errors import WeightsMissing
from agentad.store.atomic import write_json

DINO3 = Vit(16, blocks=3, heads=2, mlp_ratio=2, patch=16, image=64, family="dinov3", registers=2)
SIGLIP = Vit(16, blocks=3, heads=2, mlp_ratio=2, patch=16, image=64, family="siglip")
KINDS = {"dinov3-small": (DINO3, Dino3Patches), "siglip2-base": (SIGLIP, SiglipPatches)}


def random_weights(vit):
    rng = np.random.default_rng(0)
    return {name: rng.normal(0, 0.3, shape).astype(np.float32) for name, shape in expected_shapes(vit).items()}


@pytest.fixture(params=KINDS)
def installed(request, cache, tmp_path, monkeypatch):
    """(name, folder, encoder class) of a tiny model in a local folder."""
    vit, kind = KINDS[request.param]
    folder = tmp_path / "local" / request.param
    folder.mkdir(parents=True)
    save_file(random_weights(vit), folder / checkpoint.WEIGHTS)
    write_json(folder / checkpoint.CONFIG, config(vit))
    monkeypatch.setenv("AGENTAD_WEIGHTS", str(folder.parent))
    return request.param, folder, kind


def theirs(name, folder, pixels, block):
    """Patch tokens after `block` in transformers' model, (1, patches, hidden)."""
    said = checkpoint._json(folder, checkpoint.CONFIG)
    if name == "siglip2-base":
        model = SiglipVisionModel.from_pretrained(folder, config=SiglipVisionConfig(**said, vision_use_head=False))
        return model(pixels, output_hidden_states=True, interpolate_pos_encoding=True).hidden_states[block]
    model = DINOv3ViTModel.from_pretrained(folder, config=DINOv3ViTConfig(**said))
    return model(pixels, output_hidden_states=True).hidden_states[block][:, 1 + DINO3.registers :]


@pytest.mark.filterwarnings("ignore")  # transformers' own
@pytest.mark.parametrize("shape", [(64, 64), (48, 96)])
def test_tokens_are_those_of_transformers(installed, shape):
    name, folder, kind = installed
    image = np.random.default_rng(1).integers(0, 256, (*shape, 3), dtype=np.uint8)
    encoder = kind(blocks="1,3", size=64, dtype="float32").shaped(aspect=shape[1] / shape[0], pixels=1.0)
    rows, columns = encoder.grid
    assert (rows * 16, columns * 16) == {(64, 64): (64, 64), (48, 96): (32, 80)}[shape]
    image = np.ascontiguousarray(image[: rows * 16, : columns * 16])
    found = encoder.encode([image]).astype(np.float32)
    family = FAMILIES[KINDS[name][0].family]
    pixels = (image.astype(np.float32) / 255 - np.float32(family.mean)) / np.float32(family.std)
    with torch.inference_mode():
        for at, block in enumerate((1, 3)):
            wanted = theirs(name, folder, torch.from_numpy(pixels.transpose(2, 0, 1)[None]), block)
            wanted = torch.nn.functional.normalize(wanted, dim=-1).reshape(1, rows, columns, 16)
            np.testing.assert_allclose(found[..., 16 * at : 16 * at + 16], wanted.numpy(), atol=2e-3)


def test_saved_and_read_back(installed, tmp_path, monkeypatch):
    _, _, kind = installed
    image = np.random.default_rng(2).integers(0, 256, (90, 30, 3), dtype=np.uint8)
    encoder = kind(blocks="2", size=64, tiles=2).shaped(aspect=1 / 3, pixels=2700.0)
    encoder.save(tmp_path / "saved")
    monkeypatch.delenv("AGENTAD_WEIGHTS")
    loaded = load_encoder(tmp_path / "saved")
    assert loaded.grid == encoder.grid == (13, 4)
    np.testing.assert_array_equal(loaded.encode([image]), encoder.encode([image]))


def test_a_folder_is_taken_as_a_source(installed, monkeypatch):
    name, folder, _ = installed
    monkeypatch.delenv("AGENTAD_WEIGHTS")
    assert checkpoint.verify(fetch.pull(name, source=str(folder))) == KINDS[name][0]


def test_weights_of_another_network_are_refused(installed):
    name, folder, kind = installed
    other = next(vit for key, (vit, _) in KINDS.items() if key != name)
    save_file(random_weights(other), folder / checkpoint.WEIGHTS)
    write_json(folder / checkpoint.CONFIG, config(other))
    with pytest.raises(WeightsMissing, match=f"it holds another network than {name}"):
        kind(blocks="1", size=64)


@pytest.mark.parametrize("vit", [DINO3, SIGLIP, Vit(12, blocks=3, heads=2, mlp_ratio=2, patch=14, image=42)])
def test_sizes_survive_the_configuration(vit):
    assert sizes_of(config(vit)) == vit


def test_a_siglip_configuration_may_leave_the_base_model_out():
    wanted = Vit(768, blocks=12, heads=12, mlp_ratio=4, patch=16, image=224, family="siglip")
    assert sizes_of({"model_type": "siglip", "vision_config": {"model_type": "siglip_vision_model"}}) == wanted
