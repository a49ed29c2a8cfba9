"""DINOv2 weights from an ONNX export, under the names of the published checkpoint (`facebook/dinov2-small`).

The exporter keeps the names of biases, norms and layer scales (`backbone.encoder.layer.0.norm1.weight`), but makes the
matrices anonymous (`onnx::MatMul_1966`) and stores them transposed; the node that multiplies by one still says whose it
is (`/backbone/encoder/layer.0/attention/attention/key/MatMul`). The position embedding is split in two: the class
token's, which a Concat node joins on, and the patches', which a Reshape node lays out as a square.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from agentad.backbones.onnx_file import Graph, read_graph
from agentad.backbones.vit_layout import Vit, expected_shapes
from agentad.errors import UnreadableData

Weights = dict[str, NDArray[np.float32]]
_ROOT = "backbone."


def convert(content: bytes, vit: Vit) -> Weights:
    """Checkpoint tensors by published name, float32, from the bytes of an ONNX file with a `backbone` inside.

    Raises:
        UnreadableData: the bytes are not such a file.
    """
    graph = read_graph(content)
    found = _named(graph) | _matrices(graph) | _positions(graph)
    shapes = expected_shapes(vit)
    wrong = [name for name, shape in shapes.items() if name not in found or found[name].shape != shape]
    if wrong:
        raise UnreadableData(
            f"ONNX file: not the DINOv2 export that was expected; {len(wrong)} of {len(shapes)} tensors are absent "
            f"or of another shape, the first is {wrong[0]} {shapes[wrong[0]]}"
        )
    return {name: np.ascontiguousarray(found[name]) for name in shapes}


def _named(graph: Graph) -> Weights:
    return {name.removeprefix(_ROOT): w for name, w in graph.weights.items() if name.startswith(_ROOT)}


def _matrices(graph: Graph) -> Weights:
    """`x @ w` in the graph is a linear layer of weight wᵀ."""
    found: Weights = {}
    for node in graph.nodes:
        if node.op == "MatMul" and len(node.inputs) == 2 and node.inputs[1] in graph.weights:
            layer = node.name.removeprefix("/").removesuffix("/MatMul").replace("/", ".").removeprefix(_ROOT)
            found[f"{layer}.weight"] = graph.weights[node.inputs[1]].T
    return found


def _positions(graph: Graph) -> Weights:
    """(1, 1 + patches, hidden): the class token's position, then the patches' row by row."""
    anonymous = {
        node.op: graph.weights[name]
        for node in graph.nodes
        for name in node.inputs
        if node.name.startswith("/backbone/embeddings/") and name in graph.weights and not name.startswith(_ROOT)
    }
    if "Concat" not in anonymous or "Reshape" not in anonymous:
        return {}
    return {"embeddings.position_embeddings": np.concatenate([anonymous["Concat"], anonymous["Reshape"]], axis=1)}
