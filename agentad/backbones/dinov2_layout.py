"""What a folder with a DINOv2 checkpoint holds: `config.json`, and tensors under their published names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agentad.backbones.catalog import Vit

_FIELDS = {
    "hidden": "hidden_size",
    "blocks": "num_hidden_layers",
    "heads": "num_attention_heads",
    "mlp_ratio": "mlp_ratio",
    "patch": "patch_size",
    "image": "image_size",
}
_LARGEST = 10_000
"""More than any size of a vision transformer: a bound on what a damaged file can ask for."""


def config(vit: Vit) -> dict[str, Any]:
    """`config.json` as transformers' `Dinov2Config` reads it.

    Without the mask token, which only pre-training uses and exports leave out.
    """
    return {
        "architectures": ["Dinov2Model"],
        "hidden_act": "gelu",
        "layer_norm_eps": 1e-6,
        "model_type": "dinov2",
        "num_channels": 3,
        "qkv_bias": True,
        "use_mask_token": False,
        "use_swiglu_ffn": False,
    } | {key: getattr(vit, field) for field, key in _FIELDS.items()}


def vit_of(config: Mapping[str, Any]) -> Vit:
    """The sizes that a `config.json` states.

    Raises:
        ValueError: it is not that of a DINOv2 model with plain MLPs; says why.
    """
    if config.get("model_type") != "dinov2" or config.get("use_swiglu_ffn"):
        raise ValueError("it is not of a DINOv2 model with plain MLPs")
    sizes = {field: config.get(key) for field, key in _FIELDS.items()}
    for field, size in sizes.items():
        if not isinstance(size, int) or not 1 <= size <= _LARGEST:
            raise ValueError(f"{_FIELDS[field]} is {size!r}, which is no size")
    return Vit(**sizes)  # type: ignore[arg-type]  # checked just above


def expected_shapes(vit: Vit) -> dict[str, tuple[int, ...]]:
    """Shape of every tensor that encoding needs, by published name."""
    hidden = vit.hidden
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.cls_token": (1, 1, hidden),
        "embeddings.patch_embeddings.projection.bias": (hidden,),
        "embeddings.patch_embeddings.projection.weight": (hidden, 3, vit.patch, vit.patch),
        "embeddings.position_embeddings": (1, 1 + (vit.image // vit.patch) ** 2, hidden),
        "layernorm.bias": (hidden,),
        "layernorm.weight": (hidden,),
    }
    block = _block_shapes(hidden, hidden * vit.mlp_ratio)
    for number in range(vit.blocks):
        shapes |= {f"encoder.layer.{number}.{name}": shape for name, shape in block.items()}
    return shapes


def _block_shapes(hidden: int, inner: int) -> dict[str, tuple[int, ...]]:
    linear = {
        "attention.attention.key": (hidden, hidden),
        "attention.attention.query": (hidden, hidden),
        "attention.attention.value": (hidden, hidden),
        "attention.output.dense": (hidden, hidden),
        "mlp.fc1": (inner, hidden),
        "mlp.fc2": (hidden, inner),
    }
    vectors = (
        "layer_scale1.lambda1",
        "layer_scale2.lambda1",
        "norm1.bias",
        "norm1.weight",
        "norm2.bias",
        "norm2.weight",
    )
    shapes: dict[str, tuple[int, ...]] = dict.fromkeys(vectors, (hidden,))
    for name, shape in linear.items():
        shapes |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
    return shapes
