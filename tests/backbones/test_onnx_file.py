import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_dino import message, node, onnx_of, tensor, tiny_weights, varint

from agentad.backbones.onnx_file import Node, read_graph
from agentad.errors import UnreadableData

WEIGHT = np.arange(6, dtype=np.float32).reshape(2, 3)


def test_nodes_and_float_weights_are_read():
    graph = read_graph(message(7, tensor("w", WEIGHT) + node("MatMul", "/layer/MatMul", "x", "w")))
    assert graph.nodes == [Node("/layer/MatMul", "MatMul", ("x", "w"))]
    np.testing.assert_array_equal(graph.weights["w"], WEIGHT)


def test_packed_dimensions_are_read():
    packed = (
        message(1, varint(2) + varint(3)) + varint(2 << 3) + varint(1) + message(8, b"w") + message(9, WEIGHT.tobytes())
    )
    np.testing.assert_array_equal(read_graph(message(7, message(5, packed))).weights["w"], WEIGHT)


def test_weights_of_other_types_are_left_out():
    int64 = varint(1 << 3) + varint(1) + varint(2 << 3) + varint(7) + message(8, b"shape") + message(9, b"\0" * 8)
    assert read_graph(message(7, message(5, int64))).weights == {}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "ONNX file: it holds no graph; the file is empty, cut short or not ONNX"),
        (message(7, b"x" * 9)[:-2], "ONNX file: cut short, a field needs 2 bytes more than are there"),
        (b"\x3a\xff", "ONNX file: cut short inside a number"),
        (b"\x3b", "ONNX file: wire type 3 at byte 1 does not exist in ONNX; the file is damaged"),
        (b"\xff" * 12, "ONNX file: a number of more than 64 bits before byte 10; the file is damaged"),
    ],
)
def test_damage_is_named(content, said):
    with pytest.raises(UnreadableData) as caught:
        read_graph(content)
    assert str(caught.value) == said


def test_a_weight_with_too_few_values_is_refused():
    short = varint(1 << 3) + varint(2) + varint(2 << 3) + varint(1) + message(8, b"w") + message(9, b"\0" * 4)
    with pytest.raises(UnreadableData) as caught:
        read_graph(message(7, message(5, short)))
    assert str(caught.value) == "ONNX file: weight 'w' of shape [2] does not hold 2 float32 values"


@given(st.integers(1, 5000))
def test_every_truncation_is_an_error(missing):
    content = onnx_of(tiny_weights())
    with pytest.raises(UnreadableData):
        read_graph(content[: -min(missing, len(content))])
