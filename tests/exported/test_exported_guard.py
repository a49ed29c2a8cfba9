"""Files that no export of ours is like are refused before ONNX Runtime sees them."""

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from agentad.errors import UnreadableData
from agentad.exported.guard import check


def model(nodes, weights=(), sets=(("", 18),), **more):
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    out = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])
    graph = helper.make_graph(nodes, "g", [value], [out], list(weights))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid(*one) for one in sets], **more)


def node(operation, **attributes):
    return helper.make_node(operation, ["x"], ["y"], **attributes)


def elsewhere():
    tensor = numpy_helper.from_array(np.ones(1, np.float32), "w")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "../../etc/passwd"
    return tensor


def inner():
    return model([node("Abs")]).graph


CUSTOM = helper.make_function("mine", "f", ["x"], ["y"], [node("Abs")], [helper.make_opsetid("", 18)])


@pytest.mark.parametrize(
    ("made", "complaint"),
    [
        (model([node("Evil", domain="my.ops")]), "the operation 'my.ops.Evil'"),
        (model([node("Evil")]), "the operation 'Evil'"),
        (model([node("If", then_branch=inner(), else_branch=inner())]), "the operation 'If'"),
        (model([node("Abs", body=inner())]), "a graph inside Abs"),
        (model([node("RandomNormalLike")]), "the operation 'RandomNormalLike'"),
        (model([node("Abs")], sets=(("", 18), ("com.microsoft", 1))), "operations of another set, 'com.microsoft'"),
        (model([node("Abs")], [elsewhere()]), "weights that lie in another file"),
        (model([node("Constant", value=elsewhere())]), "weights that lie in another file"),
        (model([node("Abs")], functions=[CUSTOM]), "functions of its own"),
    ],
)
def test_refused(made, complaint):
    with pytest.raises(UnreadableData) as error:
        check(made.SerializeToString())
    assert str(error.value) == (f"ONNX file: it holds {complaint}, which no export of agentad does; it is not loaded")


def test_plain_operations_pass():
    weight = numpy_helper.from_array(np.ones(1, np.float32), "w")
    check(model([node("Abs")], [weight], sets=(("", 18),)).SerializeToString())
    check(model([node("Abs")], sets=(("ai.onnx", 18),)).SerializeToString())


@pytest.mark.parametrize("content", [b"", b"\x00", b"not ONNX at all", b"\x3a\xff\xff\xff\xff\x0f"])
def test_what_is_no_onnx(content):
    with pytest.raises(UnreadableData, match=r"^ONNX file: "):
        check(content)
