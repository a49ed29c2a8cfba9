"""The training loop of every denoiser."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from accelerate import Accelerator
from diffusers.training_utils import EMAModel
from torch import Tensor, nn

from agentad.diffusion.edm import Edm


@dataclass(frozen=True)
class Training:
    """How long and how fast a denoiser learns."""

    steps: int = 800
    batch: int = 512
    peak_rate: float = 2e-3
    """Highest learning rate of the one-cycle schedule."""
    ema: float = 0.99
    """Decay of the averaged weights. Low, because runs are short."""


def train_denoiser(
    network: nn.Module,
    data: Tensor,
    *,
    edm: Edm,
    training: Training,
    seed: int,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Fit `network` to clean samples `data` (n, ...), in place; it ends on the device it began on, in eval mode.

    Device and number of processes are accelerate's choice, so `accelerate launch` scales this loop as it is.
    `progress` is told (steps done, steps in all).
    """
    home = data.device
    accelerator = Accelerator()
    generator = torch.Generator().manual_seed(seed + accelerator.process_index)  # each process sees other batches
    optimizer = torch.optim.AdamW(network.parameters(), lr=training.peak_rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, training.peak_rate, total_steps=training.steps)
    prepared, optimizer, schedule = accelerator.prepare(network, optimizer, schedule)
    data = data.to(accelerator.device)
    average = EMAModel(network.parameters(), decay=training.ema, foreach=True)
    prepared.train()
    for step in range(training.steps):
        rows = torch.randint(len(data), (training.batch,), generator=generator)
        loss = edm.loss(prepared, data[rows.to(data.device)], generator)
        optimizer.zero_grad()
        accelerator.backward(loss)
        optimizer.step()
        schedule.step()
        average.step(network.parameters())
        if progress is not None:
            progress(step + 1, training.steps)
    average.copy_to(network.parameters())
    network.to(home).eval()
