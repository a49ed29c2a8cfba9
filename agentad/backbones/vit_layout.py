"""What a folder with a vision transformer holds: `config.json`, and tensors under their published names.

Three families, as their checkpoints name things: DINOv2 (arXiv 2304.07193), DINOv3 (arXiv 2508.10104) and the vision
tower of SigLIP (arXiv 2303.15343) and SigLIP 2 (arXiv 2502.14786) at a fixed resolution.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

FamilyName = Literal["dinov2", "dinov3", "siglip"]
_LARGEST = 10_000
"""More than any size of a vision transformer: a bound on what a damaged file can ask for."""


@dataclass(frozen=True)
class Vit:
    """Size of a vision transformer."""

    hidden: int
    """Channels of a token."""
    blocks: int
    heads: int
    mlp_ratio: int
    patch: int
    """Side of a patch, pixels."""
    image: int
    """Side of the training image, pixels; (image / patch)² position embeddings, where there are any."""
    family: FamilyName = "dinov2"
    registers: int = 0
    """Tokens beside the class token that have no place in the image (arXiv 2309.16588)."""


@dataclass(frozen=True)
class Family:
    """How a family's checkpoints name their tensors, and what its arithmetic needs."""

    model_types: tuple[str, ...]
    """`model_type` in `config.json`; the first is the one that is written."""
    patches: str
    positions: str | None
    """None: the positions are rotations of queries and keys (arXiv 2104.09864)."""
    leading: str | None
    """Of the class token, which comes before the patches."""
    block: str
    """Prefix of a block's tensors, with its number to be filled in."""
    parts: Mapping[str, str]
    """Our name of a layer in a block to theirs."""
    norm: str
    epsilon: float
    gelu: Literal["none", "tanh"]
    """Approximation of the activation, as torch names it."""
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    """Of colours from 0 to 1."""
    key_bias: bool = True


_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet."""
_SCALES = {"scale1": "layer_scale1.lambda1", "scale2": "layer_scale2.lambda1"}
FAMILIES: dict[FamilyName, Family] = {
    "dinov2": Family(
        model_types=("dinov2",),
        patches="embeddings.patch_embeddings.projection",
        positions="embeddings.position_embeddings",
        leading="embeddings.cls_token",
        block="encoder.layer.{}.",
        parts={
            "norm1": "norm1",
            "query": "attention.attention.query",
            "key": "attention.attention.key",
            "value": "attention.attention.value",
            "out": "attention.output.dense",
            "norm2": "norm2",
            "up": "mlp.fc1",
            "down": "mlp.fc2",
            **_SCALES,
        },
        norm="layernorm",
        epsilon=1e-6,
        gelu="none",
        mean=_MEAN,
        std=_STD,
    ),
    "dinov3": Family(
        model_types=("dinov3_vit",),
        patches="embeddings.patch_embeddings",
        positions=None,
        leading="embeddings.cls_token",
        block="layer.{}.",
        parts={
            "norm1": "norm1",
            "query": "attention.q_proj",
            "key": "attention.k_proj",
            "value": "attention.v_proj",
            "out": "attention.o_proj",
            "norm2": "norm2",
            "up": "mlp.up_proj",
            "down": "mlp.down_proj",
            **_SCALES,
        },
        norm="norm",
        epsilon=1e-5,
        gelu="none",
        key_bias=False,
        mean=_MEAN,
        std=_STD,
    ),
    "siglip": Family(
        model_types=("siglip_vision_model", "siglip"),
        patches="vision_model.embeddings.patch_embedding",
        positions="vision_model.embeddings.position_embedding.weight",
        leading=None,
        block="vision_model.encoder.layers.{}.",
        parts={
            "norm1": "layer_norm1",
            "query": "self_attn.q_proj",
            "key": "self_attn.k_proj",
            "value": "self_attn.v_proj",
            "out": "self_attn.out_proj",
            "norm2": "layer_norm2",
            "up": "mlp.fc1",
            "down": "mlp.fc2",
        },
        norm="vision_model.post_layernorm",
        epsilon=1e-6,
        gelu="tanh",
        mean=(0.5, 0.5, 0.5),
        std=(0.5, 0.5, 0.5),
    ),
}
REGISTERS = "embeddings.register_tokens"
ROTATION = 100.0
"""Base of DINOv3's rotations."""
_FIELDS = {
    "hidden": "hidden_size",
    "blocks": "num_hidden_layers",
    "heads": "num_attention_heads",
    "patch": "patch_size",
    "image": "image_size",
}
_SIGLIP_BASE = {
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "patch_size": 16,
    "image_size": 224,
}
"""What a SigLIP `config.json` leaves out when it is of the base model."""


def config(vit: Vit) -> dict[str, Any]:
    """`config.json` as transformers reads it.

    DINOv2's is without the mask token, which only pre-training uses and exports leave out.
    """
    family = FAMILIES[vit.family]
    said: dict[str, Any] = {key: getattr(vit, field) for field, key in _FIELDS.items()}
    said |= {"model_type": family.model_types[0], "layer_norm_eps": family.epsilon, "num_channels": 3}
    if vit.family == "dinov2":
        own = {"architectures": ["Dinov2Model"], "qkv_bias": True, "use_mask_token": False, "use_swiglu_ffn": False}
        return said | own | {"hidden_act": "gelu", "mlp_ratio": vit.mlp_ratio}
    said["intermediate_size"] = vit.hidden * vit.mlp_ratio
    if vit.family == "dinov3":
        own = {"architectures": ["DINOv3ViTModel"], "key_bias": False, "use_gated_mlp": False}
        return said | own | {"hidden_act": "gelu", "num_register_tokens": vit.registers, "rope_theta": ROTATION}
    return said | {"architectures": ["SiglipVisionModel"], "hidden_act": "gelu_pytorch_tanh"}


def sizes_of(config: Mapping[str, Any]) -> Vit:
    """The sizes that a `config.json` states.

    Raises:
        ValueError: it is not that of a transformer that can be run; says why.
    """
    said = dict(config)
    family: FamilyName | None = next((n for n, f in FAMILIES.items() if said.get("model_type") in f.model_types), None)
    if family is None or said.get("use_swiglu_ffn") or said.get("use_gated_mlp"):
        raise ValueError("it is not of a DINOv2, DINOv3 or SigLIP model with plain MLPs")
    if family == "siglip":
        tower = said.get("vision_config", said)
        said = _SIGLIP_BASE | (tower if isinstance(tower, dict) else {})
    sizes: dict[str, Any] = {field: _size(key, said.get(key)) for field, key in _FIELDS.items()}
    if family == "dinov2":
        return Vit(**sizes, mlp_ratio=_size("mlp_ratio", said.get("mlp_ratio")))
    inner = _size("intermediate_size", said.get("intermediate_size"))
    if inner % sizes["hidden"]:
        raise ValueError(f"intermediate_size is {inner}, which is no multiple of hidden_size {sizes['hidden']}")
    registers = said.get("num_register_tokens", 0) if family == "dinov3" else 0
    if registers:
        registers = _size("num_register_tokens", registers)
    return Vit(**sizes, mlp_ratio=inner // sizes["hidden"], family=family, registers=registers)


def _size(key: str, value: Any) -> int:
    if not isinstance(value, int) or not 1 <= value <= _LARGEST:
        raise ValueError(f"{key} is {value!r}, which is no size")
    return value


def expected_shapes(vit: Vit) -> dict[str, tuple[int, ...]]:
    """Shape of every tensor by published name: what encoding needs, and the final norm."""
    family, hidden = FAMILIES[vit.family], vit.hidden
    shapes: dict[str, tuple[int, ...]] = {
        f"{family.patches}.weight": (hidden, 3, vit.patch, vit.patch),
        f"{family.patches}.bias": (hidden,),
        f"{family.norm}.weight": (hidden,),
        f"{family.norm}.bias": (hidden,),
    }
    places = (vit.image // vit.patch) ** 2
    if family.leading is not None:
        shapes[family.leading] = (1, 1, hidden)
    if family.positions is not None:
        shapes[family.positions] = (places, hidden) if family.leading is None else (1, 1 + places, hidden)
    if vit.registers:
        shapes[REGISTERS] = (1, vit.registers, hidden)
    for number in range(vit.blocks):
        shapes |= _block_shapes(family, family.block.format(number), hidden, hidden * vit.mlp_ratio)
    return dict(sorted(shapes.items()))


def _block_shapes(family: Family, prefix: str, hidden: int, inner: int) -> dict[str, tuple[int, ...]]:
    wide = {"up": (inner, hidden), "down": (hidden, inner)}
    shapes: dict[str, tuple[int, ...]] = {}
    for part, name in family.parts.items():
        full = prefix + name
        if part.startswith("scale"):
            shapes[full] = (hidden,)
            continue
        weight = (hidden,) if part.startswith("norm") else wide.get(part, (hidden, hidden))
        shapes[f"{full}.weight"] = weight
        if part != "key" or family.key_bias:
            shapes[f"{full}.bias"] = weight[:1]
    return shapes
