"""Named weights out of an ONNX file, by reading its protobuf wire format.

Only what is needed of https://github.com/onnx/onnx/blob/main/onnx/onnx.proto is read, so that converting weights takes
no further package. Field numbers::

    ModelProto.graph = 7
    GraphProto.node = 1, .initializer = 5
    NodeProto.input = 1, .name = 3, .op_type = 4
    TensorProto.dims = 1, .data_type = 2 (1 = float32), .name = 8, .raw_data = 9
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agentad.errors import UnreadableData

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_FLOAT32 = 1
_VARINT_BITS = 64

Field = int | memoryview


@dataclass(frozen=True)
class Node:
    """One operation of the graph."""

    name: str
    op: str
    inputs: tuple[str, ...]


@dataclass(frozen=True)
class Graph:
    """The operations in file order, and the float32 weights by name."""

    nodes: list[Node]
    weights: dict[str, NDArray[np.float32]]


def read_graph(content: bytes) -> Graph:
    """Nodes and float32 weights of an ONNX file held in memory; the arrays are views of `content`.

    Raises:
        UnreadableData: the bytes are not an ONNX file, or are cut short.
    """
    graphs = [value for number, value in fields(memoryview(content)) if number == 7 and isinstance(value, memoryview)]
    if not graphs:
        raise UnreadableData("ONNX file: it holds no graph; the file is empty, cut short or not ONNX")
    nodes: list[Node] = []
    weights: dict[str, NDArray[np.float32]] = {}
    for number, value in fields(graphs[0]):
        if number == 1:
            nodes.append(_node(_message(value)))
        elif number == 5:
            weights.update(_weight(_message(value)))
    return Graph(nodes, weights)


def _node(content: memoryview) -> Node:
    found = list(fields(content))
    inputs = tuple(_text(value) for number, value in found if number == 1)
    return Node(name=_last_text(found, 3), op=_last_text(found, 4), inputs=inputs)


def _weight(content: memoryview) -> dict[str, NDArray[np.float32]]:
    """{name: array} of one TensorProto; empty for other types than float32, which hold shapes and indices."""
    found = list(fields(content))
    name = _last_text(found, 8)
    if (2, _FLOAT32) not in found:
        return {}
    shape = [size for number, value in found if number == 1 for size in _integers(value)]
    raw = next((value for number, value in found if number == 9), memoryview(b""))
    if not isinstance(raw, memoryview) or len(raw) != 4 * math.prod(shape):
        raise UnreadableData(
            f"ONNX file: weight {name!r} of shape {shape} does not hold {math.prod(shape)} float32 values"
        )
    return {name: np.frombuffer(raw, "<f4").reshape(shape)}


def fields(content: memoryview) -> Iterator[tuple[int, Field]]:
    """(field number, value) of one message: an int for varints, a view of the bytes for everything else."""
    at = 0
    while at < len(content):
        key, at = _varint(content, at)
        number, wire = key >> 3, key & 7
        if wire == _VARINT:
            value, at = _varint(content, at)
            yield number, value
            continue
        if wire == _BYTES:
            length, at = _varint(content, at)
        elif wire in (_FIXED64, _FIXED32):
            length = 8 if wire == _FIXED64 else 4
        else:
            raise UnreadableData(
                f"ONNX file: wire type {wire} at byte {at} does not exist in ONNX; the file is damaged"
            )
        if at + length > len(content):
            raise UnreadableData(
                f"ONNX file: cut short, a field needs {at + length - len(content)} bytes more than are there"
            )
        yield number, content[at : at + length]
        at += length


def _varint(content: memoryview, at: int) -> tuple[int, int]:
    """The integer that starts at `at`, seven bits a byte with the lowest first, and where it ends."""
    value = 0
    for shift in range(0, _VARINT_BITS, 7):
        if at >= len(content):
            raise UnreadableData("ONNX file: cut short inside a number")
        byte = content[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise UnreadableData(f"ONNX file: a number of more than {_VARINT_BITS} bits before byte {at}; the file is damaged")


def _integers(value: Field) -> list[int]:
    """A repeated integer field, which writers store either one by one or packed."""
    if isinstance(value, int):
        return [value]
    numbers, at = [], 0
    while at < len(value):
        number, at = _varint(value, at)
        numbers.append(number)
    return numbers


def _message(value: Field) -> memoryview:
    if isinstance(value, int):
        raise UnreadableData("ONNX file: a number where a message belongs; the file is damaged")
    return value


def _text(value: Field) -> str:
    try:
        return bytes(_message(value)).decode("utf-8")
    except UnicodeDecodeError as error:
        raise UnreadableData(f"ONNX file: a name is not UTF-8 ({error}); the file is damaged") from error


def _last_text(found: list[tuple[int, Field]], number: int) -> str:
    """The text field `number`, empty when absent; protobuf says the last one counts."""
    return next((_text(value) for field, value in reversed(found) if field == number), "")
