"""The training loop of every denoiser."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from accelerate import Accelerator
from diffusers.training_utils import EMAModel
from torch import Tensor, nn

from agentad.diffusion.edm import Edm

Loss = Callable[[nn.Module, Tensor, torch.Generator], Tensor]
"""A network, a batch of clean samples (n, ...) and what draws their noise, to the mean loss."""


@dataclass(frozen=True)
class Training:
    """How long and how fast a denoiser learns."""

    steps: int = 800
    """Steps at most."""
    batch: int = 512
    peak_rate: float = 2e-3
    """Highest learning rate of the one-cycle schedule."""
    ema: float = 0.99
    """Decay of the averaged weights. Low, because runs are short."""
    seconds: float | None = None
    """CPU seconds at most. Where this ends a run, the result depends on the machine."""
    check_every: int = 100
    """Steps between two looks at the validation loss."""
    patience: int = 4
    """Looks without improvement after which learning stops."""


def train_denoiser(
    network: nn.Module,
    data: Tensor,
    *,
    edm: Edm,
    training: Training,
    seed: int,
    validation: Tensor | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """`train` with the loss of `edm`."""
    train(network, data, loss=edm.loss, training=training, seed=seed, validation=validation, progress=progress)


def train(
    network: nn.Module,
    data: Tensor,
    *,
    loss: Loss,
    training: Training,
    seed: int,
    validation: Tensor | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Fit `network` to clean samples `data` (n, ...), in place; it ends on the device it began on, in eval mode.

    It ends with the averaged weights: the last ones, or with samples for `validation` those of the lowest loss there.
    Device and number of processes are accelerate's choice, so `accelerate launch` scales this loop as it is.
    `progress` is told (steps done, steps in all).

    Returns:
        Steps done: `training.steps`, or fewer where the validation loss or the CPU seconds ended them.
    """
    home, began = data.device, time.process_time()
    accelerator = Accelerator()
    generator = torch.Generator().manual_seed(seed + accelerator.process_index)  # each process sees other batches
    learned = _learned(network)
    optimizer = torch.optim.AdamW(learned, lr=training.peak_rate, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, training.peak_rate, total_steps=training.steps)
    prepared, optimizer, schedule = accelerator.prepare(network, optimizer, schedule)
    data = data.to(accelerator.device)
    average = EMAModel(learned, decay=training.ema, foreach=True)
    best = None if validation is None else _Best(network, average, loss, validation.to(accelerator.device), seed)
    prepared.train()
    done = 0
    while done < training.steps:
        rows = torch.randint(len(data), (training.batch,), generator=generator)
        value = loss(prepared, data[rows.to(data.device)], generator)
        optimizer.zero_grad()
        accelerator.backward(value)
        optimizer.step()
        schedule.step()
        average.step(learned)
        done += 1
        if progress is not None:
            progress(done, training.steps)
        last = done == training.steps
        if best and (last or done % training.check_every == 0) and best.look() >= training.patience:
            break
        if training.seconds is not None and time.process_time() - began > training.seconds:
            break
    average.copy_to(learned)
    if best is not None:
        best.copy_to(network)
    network.to(home).eval()
    return done


def _learned(network: nn.Module) -> list[nn.Parameter]:
    """The parameters that are not frozen; beside adapters, there are many more that are."""
    return [parameter for parameter in network.parameters() if parameter.requires_grad]


class _Best:
    """The averaged weights with the lowest validation loss so far."""

    def __init__(self, network: nn.Module, average: EMAModel, loss: Loss, samples: Tensor, seed: int) -> None:
        self._network, self._average, self._loss, self._seed = network, average, loss, seed
        self._samples = samples.repeat(-(-_VALIDATION_DRAWS // len(samples)), *[1] * (samples.ndim - 1))
        self._lowest = float("inf")
        self._weights: dict[str, Tensor] | None = None
        self._waited = 0

    @torch.no_grad()
    def look(self) -> int:
        """How many looks in a row, this one included, saw no improvement."""
        parameters = _learned(self._network)
        self._average.store(parameters)
        self._average.copy_to(parameters)
        self._network.eval()
        # the same noise at every look, so that losses differ by the weights alone
        value = float(self._loss(self._network, self._samples, torch.Generator().manual_seed(self._seed)))
        if value < self._lowest:
            self._lowest, self._waited = value, 0
            self._weights = {name: tensor.clone() for name, tensor in self._network.state_dict().items()}
        else:
            self._waited += 1
        self._average.restore(parameters)
        self._network.train()
        return self._waited

    def copy_to(self, network: nn.Module) -> None:
        """Give `network` the weights that were best, if any look was taken."""
        if self._weights is not None:
            network.load_state_dict(self._weights)


_VALIDATION_DRAWS = 1024
"""Noisy samples, at least, that a validation loss is the mean of."""
