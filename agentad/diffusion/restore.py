"""Making images normal: partial noising and a few DDIM steps, conditioned on the image and on what is visible of it.

Notation:

    y          the image, or its latent, of about unit variance
    x_t        the noisy image at timestep t, α_t y + σ_t ε with α_t² + σ_t² = 1
    x̂          the clean image that the network predicts. It predicts no noise: a small network can leave detail out,
               but not carry the noise of every pixel from its input to its output
    ε̂          the noise that follows from it, (x_t − α_t x̂) / σ_t
    w          weight of the condition, `pull`

Three things keep the result close to y where y is normal and away from it elsewhere:

- **What is visible.** Complementary masks each hide half of the image; a place is only restored where it is hidden,
  from its surroundings. A network that is shown the place itself learns to copy it, anomaly included.
- **The condition of DDAD** (https://arxiv.org/abs/2305.15956): ε̂ ← ε̂ − w σ_t (y_t − x_t) with y_t = α_t y + σ_t ε̂.
  Since x_t = α_t x̂ + σ_t ε̂, this moves x̂ by w σ_t² (y − x̂): it is a pull towards the image.
- **Suspects.** Places that a first look found anomalous are hidden in both masks, start from more noise and are not
  pulled.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import torch
from diffusers import DDIMScheduler
from torch import Tensor, nn

from agentad.diffusion.hidden import draw_hidden

TIMESTEPS = 1000
_VISIBLE = 0.05
"""Weight in the loss of places whose answer the network is shown."""


class Restoring:
    """The noise schedule, the loss of a `ContextUnet` and how it restores images.

    Args:
        size: side of the images.
        cell: side of the squares that are hidden, in places; 0 shows nothing but the noisy image, which is
            reconstruction as it was before masks.
    """

    def __init__(self, size: int, cell: int) -> None:
        self._size, self._cell = size, cell

    @cached_property
    def _scheduler(self) -> Any:
        return DDIMScheduler(  # type: ignore[no-untyped-call]
            num_train_timesteps=TIMESTEPS,
            beta_schedule="squaredcos_cap_v2",
            prediction_type="sample",
            timestep_spacing="trailing",
            clip_sample=False,
        )

    def loss(self, network: nn.Module, y: Tensor, generator: torch.Generator) -> Tensor:
        """Mean squared error of x̂ at a random timestep, over the hidden places of images `y` (n, c, s, s)."""
        noise = torch.randn(y.shape, generator=generator).to(y.device)
        t = torch.randint(TIMESTEPS, (len(y),), generator=generator).to(y.device)
        hidden = self._draw(len(y), generator).to(y.device)
        found = network(self._scheduler.add_noise(y, noise, t), y, hidden, t)
        error = (found - y) ** 2
        weight = (hidden + _VISIBLE * (1 - hidden)).expand_as(error)
        mean: Tensor = (weight * error).sum() / weight.sum()
        return mean

    def guess(self, network: nn.Module, y: Tensor, hidden: Tensor, noise: Tensor, t: int) -> Tensor:
        """x̂ of one image `y` (c, s, s) after one step from timestep `t`, under each of the masks (m, 1, s, s)."""
        images, told = self._repeated(y, hidden, t)
        x = self._scheduler.add_noise(images, noise.expand_as(images), told)
        clean: Tensor = network(x, images, hidden, told)
        return clean

    def restore(
        self, network: nn.Module, y: Tensor, hidden: Tensor, noise: Tensor, *, start: Tensor, pull: Tensor, steps: int
    ) -> Tensor:
        """One image `y` (c, s, s) made normal under each of the masks (m, 1, s, s).

        Args:
            network: a `ContextUnet`.
            y: the image.
            hidden: the masks.
            noise: (c, s, s) what the image is noised with.
            start: (s, s) the timestep that each place starts from; above it, the place is the noised image.
            pull: (s, s) w.
            steps: DDIM steps of the whole way from pure noise; those above the highest start are left out.

        Returns:
            (m, c, s, s)
        """
        self._scheduler.set_timesteps(steps)
        way = [t for t in self._scheduler.timesteps.tolist() if t <= float(start.max())]
        images, _ = self._repeated(y, hidden, 0)
        x = images
        for t in way:
            told = self._repeated(y, hidden, t)[1]
            noised = self._scheduler.add_noise(images, noise.expand_as(images), told)
            x = noised if t == way[0] else torch.where(start < t, noised, x)
            clean = network(x, images, hidden, told)
            clean = clean + pull * (1 - self._scheduler.alphas_cumprod[t]) * (images - clean)
            x = self._scheduler.step(clean, t, x).prev_sample
        return x

    def _repeated(self, y: Tensor, hidden: Tensor, t: int) -> tuple[Tensor, Tensor]:
        return y.expand(len(hidden), *y.shape), torch.full((len(hidden),), t, device=y.device)

    def _draw(self, n: int, generator: torch.Generator) -> Tensor:
        if not self._cell:
            return torch.ones(n, 1, self._size, self._size)
        return draw_hidden(n, self._size, self._cell, generator)


def joined(parts: Tensor, hidden: Tensor) -> Tensor:
    """(c, s, s): each place from the masks that hid it, of parts (m, c, s, s) restored under masks (m, 1, s, s)."""
    return (parts * hidden).sum(0) / hidden.sum(0)
