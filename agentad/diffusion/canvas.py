"""What an image denoiser works on: pixels, or the latents of an autoencoder, standardised."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from diffusers import AutoencoderKL
from numpy.typing import NDArray
from torch import Tensor

from agentad.errors import InputError, WeightsMissing

Images = NDArray[np.floating[Any]]
_LEAST = 0.02
"""Standard deviation below which a channel counts as constant."""
_PINNED = re.compile(r"([\w.-]+/[\w.-]+)@([0-9a-f]{40})")


class Canvas:
    """Images (n, h, w, 3) from 0 to 1 to tensors (n, c, h', w') of mean 0 and variance 1 over normal ones, and back.

    Without an autoencoder, c is 3 and nothing shrinks. With one, latents are its posterior's means.
    """

    mean: Tensor
    """(c, 1, 1)"""
    std: Tensor
    """(c, 1, 1)"""

    def __init__(self, autoencoder: Any = None) -> None:
        self.autoencoder = autoencoder

    def fit(self, x: Images) -> Self:
        """Learn mean and spread from normal images `x` (n, h, w, 3)."""
        raw = torch.cat([self._raw(image[None]) for image in x])
        self.mean = raw.mean(dim=(0, 2, 3))[:, None, None]
        self.std = raw.std(dim=(0, 2, 3)).clamp_min(_LEAST)[:, None, None]
        return self

    @torch.inference_mode()
    def enter(self, x: Images) -> Tensor:
        """Images (n, h, w, 3) to (n, c, h', w'), one after the other, so that they do not depend on each other."""
        return torch.cat([(self._raw(image[None]) - self.mean) / self.std for image in x])

    @torch.inference_mode()
    def leave(self, z: Tensor) -> NDArray[np.float32]:
        """(n, c, h', w') to images (n, h, w, 3) from 0 to 1."""
        raw = z.cpu() * self.std + self.mean
        if self.autoencoder is not None:
            raw = torch.cat([self.autoencoder.decode(one[None]).sample for one in raw])
        image: NDArray[np.float32] = ((raw.clamp(-1, 1) + 1) / 2).permute(0, 2, 3, 1).numpy()
        return image

    @torch.inference_mode()
    def _raw(self, x: Images) -> Tensor:
        pixels = torch.from_numpy(np.ascontiguousarray(x, np.float32)).permute(0, 3, 1, 2) * 2 - 1
        if self.autoencoder is None:
            return pixels
        mean: Tensor = self.autoencoder.encode(pixels).latent_dist.mean
        return mean


def load_autoencoder(where: str) -> Any:
    """The `AutoencoderKL` in a folder, or on the hub as `owner/name@commit`; safetensors only.

    Raises:
        InputError: neither a folder nor a pinned id.
        WeightsMissing: it cannot be loaded from there.
    """
    pinned = _PINNED.fullmatch(where)
    if not Path(where).is_dir() and not pinned:
        raise InputError(
            f"autoencoder {where!r}: give a folder that holds config.json and diffusion_pytorch_model.safetensors, or "
            "a hub id with the 40 digits of its commit, such as owner/name@0123…"
        )
    name, revision = (pinned[1], pinned[2]) if pinned and not Path(where).is_dir() else (where, None)
    try:
        model = AutoencoderKL.from_pretrained(  # type: ignore[no-untyped-call]
            name, revision=revision, use_safetensors=True, local_files_only=bool(os.environ.get("AGENTAD_OFFLINE"))
        )
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise WeightsMissing(
            f"autoencoder {where}: cannot be loaded ({reason}); download it on a connected machine and give its folder"
        ) from error
    return model.eval().requires_grad_(False)
