"""What an ONNX file is allowed to hold before it is given to the runtime. Anybody may have written it.

Only operations that our own exports use, and only from ONNX's own set: no loops or branches, nothing random, no custom
operations, no functions, and no weights in other files. The file is read as bytes (see `backbones.onnx_file`), never
through protobuf. Field numbers of https://github.com/onnx/onnx/blob/main/onnx/onnx.proto::

    ModelProto.graph = 7, .opset_import = 8, .training_info = 20, .functions = 25
    OperatorSetIdProto.domain = 1
    GraphProto.node = 1, .initializer = 5, .sparse_initializer = 15
    NodeProto.op_type = 4, .attribute = 5, .domain = 7
    AttributeProto.t = 5, .g = 6, .tensors = 10, .graphs = 11
    TensorProto.external_data = 13, .data_location = 14
"""

from __future__ import annotations

from agentad.backbones.onnx_file import Field, fields
from agentad.errors import UnreadableData

_NAMES = """
Abs Add And AveragePool BatchNormalization Cast Ceil Clip Concat Constant ConstantOfShape Conv Cos
CumSum Div Equal Erf Exp Expand Flatten Floor Gather GatherElements GatherND Gelu Gemm
GlobalAveragePool Greater GreaterOrEqual Identity IsNaN LayerNormalization Less LessOrEqual Log
LpNormalization MatMul MatMulInteger Max MaxPool Min Mod Mul Neg Not Or Pad Pow Range Reciprocal
ReduceL2 ReduceMax ReduceMean ReduceMin ReduceSum ReduceSumSquare Relu Reshape Resize Round
ScatterND Shape Sigmoid Sign Sin Size Slice Softmax Softplus Split Sqrt Squeeze Sub Sum Tanh Tile
TopK Transpose Unsqueeze Where
"""
OPERATIONS = frozenset(_NAMES.split())
_DOMAINS = ("", "ai.onnx")


def check(content: bytes) -> None:
    """Look through an ONNX file held in memory.

    Raises:
        UnreadableData: it is damaged, or holds something our exports never hold; says what.
    """
    graphs = []
    for number, value in fields(memoryview(content)):
        if number == 7:
            graphs.append(_bytes(value))
        elif number == 8 and _texts(value, 1) not in ([], [""], ["ai.onnx"]):
            raise _refusal(f"operations of another set, {_texts(value, 1)[0]!r}")
        elif number in (20, 25):
            raise _refusal("training information" if number == 20 else "functions of its own")
    if len(graphs) != 1:
        raise _refusal(f"{len(graphs)} graphs")
    for number, value in fields(graphs[0]):
        if number == 1:
            _check_node(_bytes(value))
        elif number == 5:
            _check_tensor(_bytes(value))
        elif number == 15:
            raise _refusal("sparse weights")


def _check_node(content: memoryview) -> None:
    operation = "".join(_texts(content, 4))
    domain = "".join(_texts(content, 7))
    if domain not in _DOMAINS or operation not in OPERATIONS:
        raise _refusal(f"the operation {f'{domain}.{operation}' if domain else operation!r}")
    for number, value in fields(content):
        if number == 5:
            for inner, part in fields(_bytes(value)):
                if inner in (6, 11):
                    raise _refusal(f"a graph inside {operation}")
                if inner in (5, 10):
                    _check_tensor(_bytes(part))


def _check_tensor(content: memoryview) -> None:
    if any(number == 13 or (number == 14 and value != 0) for number, value in fields(content)):
        raise _refusal("weights that lie in another file")


def _texts(content: Field, wanted: int) -> list[str]:
    return [
        bytes(_bytes(value)).decode("utf-8", "backslashreplace")
        for number, value in fields(_bytes(content))
        if number == wanted
    ]


def _bytes(value: Field) -> memoryview:
    if isinstance(value, int):
        raise UnreadableData("ONNX file: a number where a message belongs; the file is damaged")
    return value


def _refusal(what: str) -> UnreadableData:
    return UnreadableData(f"ONNX file: it holds {what}, which no export of agentad does; it is not loaded")
