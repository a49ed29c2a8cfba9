"""A vision transformer adapted to few outlined images: LoRA (arXiv 2106.09685) on attention, and a linear readout.

Each adapted layer W x becomes W x + (α / r) B A x, where A (r, in) and B (out, r) alone are learned and B begins at
zero. The weights W stay the encoder's own and are shared with it, so that its features are what they were, and taking
the adapter away leaves nothing behind.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from numpy.typing import NDArray
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from torch import Tensor, nn
from torch.nn import functional

from agentad.backbones.encoder import Image
from agentad.backbones.pair import PairPatches
from agentad.backbones.pixels import resized
from agentad.backbones.threads import torch_threads
from agentad.backbones.vit import VitPatches
from agentad.errors import InputError

LAYERS = ("qkv", "out")
"""The adapted layers of each block: queries, keys and values in one, and what follows attention."""
Read = Callable[[], Image]
"""Gives an image when it is wanted, so that not all of them are in memory."""
_ALPHA = 2
"""α / r."""
_DECAY = 0.01
_LORA, _READOUT = "lora.", "readout."


@dataclass(frozen=True)
class Lessons:
    """n images to learn from, whose cells are `fine` times as fine as their patches."""

    images: Sequence[Read]
    share: NDArray[np.floating[Any]]
    """(n, fine · rows, fine · columns) which share of each cell is anomalous, 0 to 1."""
    weight: NDArray[np.floating[Any]]
    """Of the same shape: how much each cell counts; those of an image sum to 1."""
    chance: NDArray[np.floating[Any]]
    """(n,) how often each image is drawn."""


@dataclass(frozen=True)
class Teaching:
    """How long and how fast an adapter learns."""

    steps: int = 60
    batch: int = 8
    """Images a step, over all of which gradients are accumulated."""
    at_once: int = 2
    """Images in memory at a time."""
    rate: float = 1e-3
    """Highest learning rate of the adapter (one cycle)."""
    readout_rate: float = 1e-2


def transformer(encoder: Any) -> VitPatches:
    """The vision transformer that `encoder` is or has.

    Raises:
        InputError: it has none.
    """
    found = encoder.parts[0][0] if isinstance(encoder, PairPatches) else encoder
    if not isinstance(found, VitPatches):
        raise InputError(
            f"encoder {getattr(encoder, 'name', type(encoder).__name__)}: LoRA adapts vision transformers only; use "
            "dinov2-lite, dinov2-small or another of them on images without templates, or the head patch-head"
        )
    return found


class AdaptedVit(nn.Module):
    """Images to the log odds of their cells to be anomalous. Higher = more anomalous.

    Before `teach` its features are the encoder's, and every cell has the same log odds.
    """

    def __init__(self, encoder: Any, *, rank: int = 4, fine: int = 3, seed: int = 0) -> None:
        """Adapt the transformer of `encoder`, with matrices of `rank` and `fine` × `fine` cells a patch.

        Raises:
            InputError: the encoder has no transformer.
        """
        super().__init__()
        vit = transformer(encoder)
        shared: dict[int, Any] = {id(weight): weight for weight in vit.network.parameters()}
        config = LoraConfig(r=rank, lora_alpha=_ALPHA * rank, target_modules=list(LAYERS))
        device = next(vit.network.parameters()).device
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.lora = get_peft_model(deepcopy(vit.network, shared), config)
            self.readout = nn.Linear(vit.channels, fine * fine, device=device)
        nn.init.zeros_(self.readout.weight)
        nn.init.zeros_(self.readout.bias)
        self.fine = fine
        self.features = vit.running(self.lora)
        """The adapted encoder, whose features have the shape of the transformer's own."""

    def forward(self, pixels: Tensor) -> Tensor:
        """(b, 3, height, width) uint8, of the size the encoder wants, to log odds (b, fine · rows, fine · columns).

        Matrix products run in bfloat16, the readout in float32.
        """
        with torch.autocast(self.readout.weight.device.type, dtype=torch.bfloat16):
            tokens = self.features.tokens(pixels)
        tokens = functional.normalize(tokens.float(), dim=-1) * tokens.shape[-1] ** 0.5  # each channel about 1
        odds: Tensor = self.readout(tokens)  # (b, h, w, fine²)
        b, h, w, _ = odds.shape
        return odds.view(b, h, w, self.fine, self.fine).transpose(2, 3).reshape(b, h * self.fine, w * self.fine)

    def log_odds(self, images: Sequence[Read]) -> NDArray[np.float32]:
        """(n, fine · rows, fine · columns) of n images, each of which alone decides about its own."""
        rows, columns = self.features.grid
        found = np.empty((len(images), self.fine * rows, self.fine * columns), np.float32)
        with torch.inference_mode(), torch_threads():
            for read, out in zip(images, found, strict=True):
                out[:] = self(self._pixels([read]))[0].cpu().numpy()
        return found

    @torch_threads()
    def teach(
        self,
        lessons: Lessons,
        *,
        teaching: Teaching | None = None,
        seed: int = 0,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        """Learn the adapter and the readout, and nothing else, by weighted cross-entropy over the cells.

        Processes are accelerate's choice, so `accelerate launch` scales it as it is. `progress` is told (steps done,
        steps in all).
        """
        how = teaching or Teaching()
        # Precision is this module's own: accelerate's is one for the whole process, and others have set it by now.
        accelerator = Accelerator(gradient_accumulation_steps=max(1, how.batch // how.at_once))
        generator = torch.Generator().manual_seed(seed + accelerator.process_index)  # each process sees other images
        groups = [
            {"params": [weight for weight in self.lora.parameters() if weight.requires_grad], "lr": how.rate},
            {"params": list(self.readout.parameters()), "lr": how.readout_rate},
        ]
        optimizer = torch.optim.AdamW(groups, weight_decay=_DECAY)
        rates = [how.rate, how.readout_rate]
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rates, total_steps=how.steps)
        # weights are shared with the encoder: they stay on its device
        prepared, optimizer = accelerator.prepare(self, optimizer, device_placement=[False, False])
        share, weight, chance = (
            torch.from_numpy(np.asarray(part, np.float32)) for part in (lessons.share, lessons.weight, lessons.chance)
        )
        prepared.train()
        done = 0
        while done < how.steps:
            with accelerator.accumulate(prepared):
                drawn = torch.multinomial(chance, how.at_once, replacement=True, generator=generator)
                odds = prepared(self._pixels([lessons.images[i] for i in drawn.tolist()]))
                wanted, counts = (part[drawn].to(odds.device) for part in (share, weight))
                each = functional.binary_cross_entropy_with_logits(odds, wanted, counts, reduction="sum")
                accelerator.backward(each / how.at_once)
                optimizer.step()
                optimizer.zero_grad()
            if accelerator.sync_gradients:
                schedule.step()
                done += 1
                if progress is not None:
                    progress(done, how.steps)
        self.eval()

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What was learned, by the names peft saves an adapter under, float32."""
        lora = get_peft_model_state_dict(self.lora)
        found = {_LORA + name: tensor for name, tensor in lora.items()}
        found |= {_READOUT + name: tensor for name, tensor in self.readout.state_dict().items()}
        return {name: tensor.detach().float().cpu().numpy().copy() for name, tensor in found.items()}

    def take(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Take what `arrays` gave.

        Raises:
            ValueError: they belong to another network or rank.
        """
        own = self.arrays()
        if {n: a.shape for n, a in own.items()} != {n: a.shape for n, a in arrays.items()}:
            raise ValueError("the adapter does not fit the encoder's network")
        tensors = {name: torch.from_numpy(np.array(array)) for name, array in arrays.items()}
        set_peft_model_state_dict(self.lora, _under(_LORA, tensors))
        self.readout.load_state_dict(_under(_READOUT, tensors))
        self.eval()

    def _pixels(self, images: Sequence[Read]) -> Tensor:
        return torch.stack([resized(read(), *self.features.pixels) for read in images])


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
