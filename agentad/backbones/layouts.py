"""Which network a folder of weights holds, by its `config.json`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agentad.backbones import lite_layout, vit_layout
from agentad.backbones.lite_layout import Lite
from agentad.backbones.vit_layout import Vit

Sizes = Vit | Lite


def config(sizes: Sizes) -> dict[str, Any]:
    """`config.json` of a network of these sizes."""
    return lite_layout.config(sizes) if isinstance(sizes, Lite) else vit_layout.config(sizes)


def sizes_of(config: Mapping[str, Any]) -> Sizes:
    """The sizes that a `config.json` states.

    Raises:
        ValueError: it is not of a network that is known here; says why.
    """
    is_lite = config.get("model_type") == lite_layout.MODEL_TYPE
    return lite_layout.sizes_of(config) if is_lite else vit_layout.sizes_of(config)


def expected_shapes(sizes: Sizes) -> dict[str, tuple[int, ...]]:
    """Shape of every tensor by its published name."""
    return lite_layout.expected_shapes(sizes) if isinstance(sizes, Lite) else vit_layout.expected_shapes(sizes)
