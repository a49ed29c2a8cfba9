"""LoRA (https://arxiv.org/abs/2106.09685) on a diffusers UNet, by peft."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from torch import nn

TARGETS = (
    r".*\.(to_q|to_k|to_v|to_out\.0|conv1|conv2|conv_shortcut|time_emb_proj)|conv_in|conv_out|.*samplers\.\d+\.conv"
)
"""Attention's projections, convolutions, and where a block hears of time and label."""


def adapted(unet: nn.Module, *, rank: int, label: bool = False) -> Any:
    """`unet` with low-rank adapters, which alone are trained, and its label embedding if `label`.

    Adapters begin at zero: nothing changes before they learn. `unet` is altered in place and must not be used on.
    """
    config = LoraConfig(
        r=rank,
        lora_alpha=rank,
        target_modules=TARGETS,
        modules_to_save=["class_embedding"] if label else None,
    )
    return get_peft_model(unet, config)


def adapter_arrays(model: Any) -> dict[str, NDArray[Any]]:
    """What `adapted` and training added, by peft's names."""
    return {name: np.asarray(tensor.cpu().numpy()) for name, tensor in get_peft_model_state_dict(model).items()}


def load_adapter(model: Any, arrays: dict[str, NDArray[Any]]) -> None:
    """Give a model that `adapted` made the arrays of another one of its shape."""
    set_peft_model_state_dict(model, {name: torch.from_numpy(array) for name, array in arrays.items()})
