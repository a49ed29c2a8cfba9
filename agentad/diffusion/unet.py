"""A small UNet that denoises images while it sees the parts of them that are not hidden."""

from __future__ import annotations

from typing import Any

import torch
from diffusers import UNet2DModel
from torch import Tensor, nn
from torch.nn import functional

_GROUPS = 8


class ContextUnet(nn.Module):
    """Clean images from noisy ones, given what is visible of the clean ones.

    diffusers' `UNet2DModel` on images folded by `fold`: a square of fold × fold pixels is one place with fold² times
    the channels, which costs a fold²-th of the arithmetic. It computes in bfloat16 and returns float32.

    Args:
        channels: of an image.
        size: side of an image, a multiple of 4 × fold.
        fold: side of the squares that become one place.
        width: channels of the first level, a multiple of 16; the second and third have twice and three times as many.
        labels: numbers that it can be told beside an image, 0 to `labels` − 1; none is known before it is learned.
    """

    def __init__(self, channels: int, size: int, *, fold: int = 2, width: int = 32, labels: int = 0) -> None:
        super().__init__()
        self.fold = fold
        unet: Any = UNet2DModel(  # type: ignore[no-untyped-call]
            sample_size=size // fold,
            in_channels=(2 * channels + 1) * fold**2,
            out_channels=channels * fold**2,
            layers_per_block=1,
            block_out_channels=(width, 2 * width, 3 * width),
            down_block_types=("DownBlock2D", "DownBlock2D", "AttnDownBlock2D"),
            up_block_types=("AttnUpBlock2D", "UpBlock2D", "UpBlock2D"),
            attention_head_dim=width,
            norm_num_groups=_GROUPS,
            num_class_embeds=labels or None,
        )
        if labels:
            nn.init.zeros_(unet.class_embedding.weight)
        nn.init.zeros_(unet.conv_out.weight)  # begins with the mean image, which is 0
        nn.init.zeros_(unet.conv_out.bias)
        self.unet = unet

    def forward(self, noisy: Tensor, clean: Tensor, hidden: Tensor, t: Tensor, label: Tensor | None = None) -> Tensor:
        """Noisy and clean images (n, c, s, s), hidden places (n, 1, s, s) and timesteps (n,) to (n, c, s, s).

        Hidden places are 1, the others 0, and of `clean` only the latter are seen. A network with labels needs `label`
        (n,).
        """
        seen = torch.cat([noisy, clean * (1 - hidden), hidden], dim=1)
        with torch.autocast(noisy.device.type, torch.bfloat16):
            clean = self.unet(functional.pixel_unshuffle(seen, self.fold), t, label).sample
        return functional.pixel_shuffle(clean.float(), self.fold)
