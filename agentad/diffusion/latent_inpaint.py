"""Inpainting by text and mask in the latent space of a pretrained diffusers pipeline, with LoRA on a few examples.

A `StableDiffusionInpaintPipeline`'s UNet sees the noisy latent, the mask, the latent of the image without what the mask
hides, and a prompt. Adapting is in the manner of DreamBooth (https://arxiv.org/abs/2208.12242), with LoRA in place of
all weights, and real normal crops in place of the model's own samples of the class: examples are learned under a prompt
of their own, and as many normals under another.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import DDIMScheduler, StableDiffusionInpaintPipeline
from numpy.typing import NDArray
from peft import LoraConfig, get_peft_model_state_dict, set_peft_model_state_dict
from torch import Tensor, nn

from agentad.backbones.threads import torch_threads
from agentad.diffusion.adapters import TARGETS
from agentad.diffusion.train import Training, train
from agentad.errors import InputError, WeightsMissing

_PINNED = re.compile(r"([\w.-]+/[\w.-]+)@([0-9a-f]{40})")
_INPAINTING_CHANNELS = 9
"""Noisy latent, mask, and latent of what is visible."""
_ADAPTER = "default"
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Told:
    """A crop to learn from."""

    crop: NDArray[np.float32]
    """(s, s, 3) from 0 to 1"""
    mask: NDArray[np.bool_]
    """(s, s)"""
    prompt: str


def load_pipeline(where: str) -> Any:
    """The `StableDiffusionInpaintPipeline` in a folder, or on the hub as `owner/name@commit`; safetensors only.

    It comes without the safety checker, which was made for photographs of people, and on a GPU where there is one.

    Raises:
        InputError: neither a folder nor a pinned id, or not a model for inpainting.
        WeightsMissing: it cannot be loaded from there.
    """
    pinned = _PINNED.fullmatch(where)
    folder = bool(where) and Path(where).is_dir()
    if not folder and not pinned:
        raise InputError(
            f"model {where!r}: give a folder that holds model_index.json, or a hub id with the 40 digits of its "
            "commit, such as owner/name@0123…"
        )
    name, revision = (pinned[1], pinned[2]) if pinned and not folder else (where, None)
    try:
        pipeline = StableDiffusionInpaintPipeline.from_pretrained(  # type: ignore[no-untyped-call]
            name,
            revision=revision,
            use_safetensors=True,
            local_files_only=bool(os.environ.get("AGENTAD_OFFLINE")),
            safety_checker=None,
            requires_safety_checker=False,
        )
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise WeightsMissing(
            f"model {where}: cannot be loaded ({reason}); download it on a connected machine and give its folder"
        ) from error
    if pipeline.unet.config.in_channels != _INPAINTING_CHANNELS:
        raise InputError(
            f"model {where}: its UNet takes {pipeline.unet.config.in_channels} channels; one for inpainting takes "
            f"{_INPAINTING_CHANNELS}"
        )
    pipeline.scheduler = DDIMScheduler.from_config(pipeline.scheduler.config)  # type: ignore[no-untyped-call]
    pipeline.set_progress_bar_config(disable=True)
    for part in (pipeline.vae, pipeline.unet, pipeline.text_encoder):
        part.eval().requires_grad_(False)
    return pipeline.to("cuda" if torch.cuda.is_available() else "cpu")


class LatentInpainter:
    """A pipeline, and the adapter that it has learned.

    Args:
        pipeline: of `load_pipeline`; its UNet is altered.
        rank: of the adapter.
    """

    def __init__(self, pipeline: Any, *, rank: int) -> None:
        self.pipeline = pipeline
        self._rank = rank

    @torch_threads()
    def adapt(
        self, told: Sequence[Told], *, steps: int, batch: int, rate: float, seed: int, progress: Progress | None = None
    ) -> None:
        """Learn crops under their prompts; what was learned before is forgotten."""
        self._fresh_adapter(seed)
        if not steps:
            return
        with torch.no_grad():
            seen = [self._encoded(one, torch.Generator().manual_seed(seed + k)) for k, one in enumerate(told)]
            words = {one.prompt: self._words(one.prompt) for one in told}
        known = [(*parts, words[one.prompt]) for parts, one in zip(seen, told, strict=True)]
        training = Training(steps=steps, batch=batch, peak_rate=rate, ema=0.99)
        unet, loss = self.pipeline.unet, partial(self._loss, known)
        rows = torch.arange(len(told), device=unet.device)
        train(unet, rows, loss=loss, training=training, seed=seed, progress=progress)

    @torch_threads()
    def paint(
        self,
        crop: NDArray[np.float32],
        mask: NDArray[np.bool_],
        prompt: str,
        *,
        strength: float,
        guidance: float,
        steps: int,
        seed: int,
    ) -> NDArray[np.float32]:
        """A crop (s, s, 3) from 0 to 1 painted where the mask (s, s) is, and as the autoencoder leaves it elsewhere.

        Args:
            crop: with the start image in the mask.
            mask: what to paint.
            prompt: what it shows.
            strength: share of the way from noise that is gone; 1 begins at noise.
            guidance: classifier-free, against an empty prompt.
            steps: of the whole way.
            seed: of the noise.
        """
        side = len(crop)
        images = self.pipeline(
            prompt=prompt,
            image=_batched(crop),
            mask_image=torch.from_numpy(mask)[None, None].float(),
            height=side,
            width=side,
            strength=strength,
            guidance_scale=guidance,
            num_inference_steps=steps,
            generator=torch.Generator().manual_seed(seed),
            output_type="np",
        ).images
        return np.asarray(images[0], dtype=np.float32)

    def adapter(self) -> dict[str, NDArray[Any]]:
        """What adapting added to the UNet, by peft's names."""
        return {n: np.asarray(t.cpu().numpy()) for n, t in get_peft_model_state_dict(self.pipeline.unet).items()}

    def load_adapter(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Take what `adapter` gave, in place of what was learned here."""
        self._fresh_adapter(0)
        set_peft_model_state_dict(self.pipeline.unet, {n: torch.from_numpy(a) for n, a in arrays.items()})

    def _fresh_adapter(self, seed: int) -> None:
        unet = self.pipeline.unet
        if getattr(unet, "peft_config", {}):
            unet.delete_adapters(_ADAPTER)
        config = LoraConfig(r=self._rank, lora_alpha=self._rank, target_modules=TARGETS)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            unet.add_adapter(config, adapter_name=_ADAPTER)

    def _encoded(self, one: Told, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Latent (4, h, w), and mask and visible latent (5, h, w)."""
        vae, device = self.pipeline.vae, self.pipeline.unet.device
        pixels = _batched(one.crop) * 2 - 1
        mask = torch.from_numpy(one.mask)[None, None].float()
        both = torch.cat([pixels, pixels * (1 - mask)]).to(device)
        latent, visible = vae.encode(both).latent_dist.sample(generator) * vae.config.scaling_factor
        small = nn.functional.interpolate(mask, latent.shape[-2:]).to(device)
        return latent, torch.cat([small[0], visible])

    def _words(self, prompt: str) -> Tensor:
        """Of a prompt, (tokens, width)."""
        words, _ = self.pipeline.encode_prompt(prompt, self.pipeline.unet.device, 1, False)
        found: Tensor = words[0]
        return found

    def _loss(
        self,
        known: Sequence[tuple[Tensor, Tensor, Tensor]],
        network: nn.Module,
        rows: Tensor,
        generator: torch.Generator,
    ) -> Tensor:
        """Squared error of what the scheduler has the network predict, over the whole latent."""
        latent, visible, words = (torch.stack(part) for part in zip(*[known[int(k)] for k in rows], strict=True))
        scheduler = self.pipeline.scheduler
        noise = torch.randn(latent.shape, generator=generator).to(latent.device)
        t = torch.randint(scheduler.config.num_train_timesteps, (len(rows),), generator=generator).to(latent.device)
        seen = torch.cat([scheduler.add_noise(latent, noise, t), visible], dim=1)
        found = network(seen, t, encoder_hidden_states=words).sample
        velocity = scheduler.config.prediction_type == "v_prediction"
        wanted = scheduler.get_velocity(latent, noise, t) if velocity else noise
        return nn.functional.mse_loss(found, wanted)


def _batched(image: NDArray[np.float32]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(image, np.float32)).permute(2, 0, 1)[None]
