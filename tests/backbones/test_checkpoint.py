import json

import pytest
from safetensors.numpy import save_file
from tiny_dino import VIT, tiny_weights

from agentad.backbones import checkpoint
from agentad.errors import WeightsMissing

WAY_OUT = "Fetch them again with `agentad models pull dinov2-small --force`, or copy the folder again."


def said(folder):
    with pytest.raises(WeightsMissing) as caught:
        checkpoint.verify(folder)
    return str(caught.value)


def test_whole_weights_pass(tiny_installed):
    assert checkpoint.verify(tiny_installed) == VIT


def test_changed_weights_are_noticed(tiny_installed):
    path = tiny_installed / checkpoint.WEIGHTS
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert said(tiny_installed) == (
        f"weights in {tiny_installed} cannot be used: model.safetensors does not have the SHA-256 that SOURCE.json "
        f"records. {WAY_OUT}"
    )


def test_a_missing_tensor_is_named(tiny_installed):
    (tiny_installed / checkpoint.SOURCE).unlink()
    weights = tiny_weights()
    del weights["layernorm.bias"]
    save_file(weights, tiny_installed / checkpoint.WEIGHTS)
    assert said(tiny_installed) == (
        f"weights in {tiny_installed} cannot be used: tensor layernorm.bias should have shape (12,), and has no entry. "
        f"{WAY_OUT}"
    )


@pytest.mark.parametrize("keep", [0, 4, 300, -1])
def test_truncated_weights_are_an_error(tiny_installed, keep):
    (tiny_installed / checkpoint.SOURCE).unlink()
    path = tiny_installed / checkpoint.WEIGHTS
    path.write_bytes(path.read_bytes()[:keep])
    assert said(tiny_installed).startswith(
        f"weights in {tiny_installed} cannot be used: model.safetensors cannot be read"
    )


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (
            {"model_type": "bert"},
            "config.json cannot be used, it is not of a DINOv2, DINOv3 or SigLIP model with plain MLPs",
        ),
        ({"hidden_size": 10**9}, "config.json cannot be used, hidden_size is 1000000000, which is no size"),
        ({"patch_size": "x"}, "config.json cannot be used, patch_size is 'x', which is no size"),
    ],
)
def test_another_configuration_is_refused(tiny_installed, change, why):
    path = tiny_installed / checkpoint.CONFIG
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    assert said(tiny_installed) == f"weights in {tiny_installed} cannot be used: {why}. {WAY_OUT}"


@pytest.mark.parametrize("content", ["", "[]", "{"])
def test_a_damaged_configuration_is_an_error(tiny_installed, content):
    (tiny_installed / checkpoint.CONFIG).write_text(content)
    assert said(tiny_installed).startswith(f"weights in {tiny_installed} cannot be used: config.json is not ")
