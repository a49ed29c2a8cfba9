import numpy as np
import pytest
import torch
from tiny_pipeline import write_pipeline

from agentad.diffusion.latent_inpaint import LatentInpainter, Told, load_pipeline
from agentad.errors import InputError, WeightsMissing

SIZE = 32


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_pipeline(tmp_path_factory.mktemp("latent") / "tiny")


@pytest.fixture(scope="module")
def told():
    rng = np.random.default_rng(0)
    mask = np.zeros((SIZE, SIZE), bool)
    mask[8:20, 10:22] = True
    return [Told(rng.random((SIZE, SIZE, 3), dtype=np.float32), mask, prompt) for prompt in ("a scratch", "flawless")]


def painted(model, told, **settings):
    settings = {"strength": 1.0, "guidance": 3.0, "steps": 3, "seed": 5, **settings}
    return model.paint(told[0].crop, told[0].mask, settings.pop("prompt", "a scratch"), **settings)


def test_lora_alone_is_trained_and_changes_the_picture(folder, told):
    model = LatentInpainter(load_pipeline(str(folder)), rank=2)
    before = {name: p.clone() for name, p in model.pipeline.unet.named_parameters()}
    plain = painted(model, told)
    model.adapt(told, steps=3, batch=2, rate=1e-2, seed=0)
    after = dict(model.pipeline.unet.named_parameters())
    assert {n for n, p in after.items() if p.requires_grad} == {n for n in after if "lora_" in n}
    assert len(after) > len(before)
    assert all(torch.equal(p, before[n.replace(".base_layer", "")]) for n, p in after.items() if "lora_" not in n)
    adapted = painted(model, told)
    assert adapted.shape == (SIZE, SIZE, 3) and 0 <= adapted.min() <= adapted.max() <= 1
    assert not np.array_equal(adapted, plain)
    assert np.array_equal(adapted, painted(model, told))
    assert not np.array_equal(adapted, painted(model, told, seed=6))
    assert not np.array_equal(adapted, painted(model, told, prompt="flawless"))

    other = LatentInpainter(load_pipeline(str(folder)), rank=2)
    other.load_adapter(model.adapter())
    assert np.array_equal(adapted, painted(other, told))

    model.adapt(told, steps=0, batch=2, rate=1e-2, seed=0)  # forgets what it learned
    assert np.array_equal(painted(model, told), plain)


def test_what_cannot_be_used_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"^model 'owner/name': give a folder that holds model_index"):
        load_pipeline("owner/name")
    (tmp_path / "empty").mkdir()
    with pytest.raises(WeightsMissing, match="cannot be loaded"):
        load_pipeline(str(tmp_path / "empty"))
    with pytest.raises(InputError, match="its UNet takes 4 channels; one for inpainting takes 9"):
        load_pipeline(str(write_pipeline(tmp_path / "plain", channels=4)))
