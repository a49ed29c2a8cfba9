import numpy as np
import pytest
from tiny_dino import VIT, onnx_of, tiny_weights

from agentad.backbones.onnx_to_dinov2 import convert
from agentad.errors import UnreadableData


def test_conversion_gives_back_what_was_exported():
    weights = tiny_weights()
    found = convert(onnx_of(weights), VIT)
    assert sorted(found) == sorted(weights)
    for name, array in weights.items():
        np.testing.assert_array_equal(found[name], array)


@pytest.mark.parametrize(
    ("gone", "shape"),
    [
        ("encoder.layer.2.attention.attention.key.weight", (12, 12)),
        ("embeddings.position_embeddings", (1, 10, 12)),
        ("layernorm.bias", (12,)),
    ],
)
def test_an_incomplete_export_is_refused(gone, shape):
    weights = tiny_weights()
    del weights[gone]
    with pytest.raises(UnreadableData) as caught:
        convert(onnx_of(weights), VIT)
    assert str(caught.value) == (
        "ONNX file: not the DINOv2 export that was expected; 1 of 60 tensors are absent or of another shape, "
        f"the first is {gone} {shape}"
    )
