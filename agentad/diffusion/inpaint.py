"""Mask-conditioned inpainting: a small diffusion model of normal crops, adapted to a few defects by LoRA.

Notation, as in `restore`:

    y          a crop, standardised
    m          the mask: 1 where something is to be painted; outside it y is known
    k          label: 0 is normal, 1 and up are types of defect
    x̂(k)       the clean crop that the network predicts from the noisy one, y (1 − m), m, the timestep t and k
    w          guidance: x̂ = x̂(0) + w (x̂(k) − x̂(0)), classifier-free guidance (https://arxiv.org/abs/2207.12598) with
               normal as the reference to leave
    t₀         where sampling starts: pure noise, or the noised start image (SDEdit, https://arxiv.org/abs/2108.01073)

The normal model learns to paint anything normal into random masks. Adapting adds LoRA and the labels' embedding and
trains these alone: on defects in their own masks, told their type, and on normals in random masks, told 0.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

import numpy as np
import torch
from diffusers import DDIMScheduler
from numpy.typing import NDArray
from torch import Tensor, nn

from agentad.backbones.threads import torch_threads
from agentad.diffusion.adapters import adapted, adapter_arrays, load_adapter
from agentad.diffusion.crops import Pyramid, View, draw_crop, draw_masks
from agentad.diffusion.train import Training, train
from agentad.diffusion.unet import ContextUnet

TIMESTEPS = 1000
LABELS = 32
"""Normal, and types of defect at most."""
_TURN = math.radians(12)
_LEAST_STD = 0.02
Progress = Callable[[int, int], None]
Images = Sequence[NDArray[np.float32]]
"""(h, w, 3) from 0 to 1, of any sizes of at least the crops' side."""


@dataclass(frozen=True)
class Shape:
    """Of the network, and how it is trained."""

    size: int = 64
    """Side of a crop, in pixels."""
    width: int = 32
    fold: int = 2
    batch: int = 8
    rate: float = 1e-3
    adapter_rate: float = 2e-3
    rank: int = 16
    """Of the adapters."""


@dataclass(frozen=True)
class Example:
    """A defect to learn from."""

    image: NDArray[np.float32]
    """(h, w, 3) from 0 to 1"""
    mask: NDArray[np.bool_]
    """(h, w), not empty"""
    label: int
    """1 and up"""
    turns: tuple[float, ...] = (0.0,)
    """Radians by which its object is turned to lie as in normal images, from the rows' direction to the columns'."""


@dataclass(frozen=True)
class Order:
    """What to paint, in crops of the network's size."""

    crop: NDArray[np.float32]
    """(s, s, 3) from 0 to 1"""
    mask: NDArray[np.bool_]
    """(s, s)"""
    label: int
    start: NDArray[np.float32] | None = None
    """(s, s, 3) from 0 to 1 that sampling starts from; None: noise."""


class Inpainter:
    """A diffusion model that paints into masks of crops.

    Args:
        shape: of the network.
        seed: of its first weights.
    """

    def __init__(self, shape: Shape, *, seed: int = 0) -> None:
        self.shape = shape
        with torch.random.fork_rng(devices=[]):  # layers draw their weights from torch's global generator
            torch.manual_seed(seed)
            self.network: Any = ContextUnet(3, shape.size, fold=shape.fold, width=shape.width, labels=LABELS)
        self._seed = seed
        self.mean, self.std = torch.zeros(3, 1, 1), torch.ones(3, 1, 1)
        self._scheduler: Any = DDIMScheduler(  # type: ignore[no-untyped-call]
            num_train_timesteps=TIMESTEPS,
            beta_schedule="squaredcos_cap_v2",
            prediction_type="sample",
            timestep_spacing="trailing",
            clip_sample=False,
        )

    @torch_threads()
    def learn(self, images: Images, *, steps: int, seconds: float | None, progress: Progress | None = None) -> Self:
        """Learn normal images, for `steps` or until the CPU `seconds` are spent."""
        raw = [_tensor(image) for image in images]
        flat = torch.cat([image.flatten(1) for image in raw], dim=1)
        self.mean = flat.mean(1)[:, None, None]
        self.std = flat.std(1).clamp_min(_LEAST_STD)[:, None, None]
        normal = [Pyramid(self._standard(image)) for image in raw]
        self._train(partial(self._normal_loss, normal), len(raw), self.shape.rate, steps, seconds, progress)
        return self

    @torch_threads()
    def adapt(
        self,
        images: Images,
        examples: Sequence[Example],
        *,
        steps: int,
        seconds: float | None,
        seed: int = 0,
        progress: Progress | None = None,
    ) -> Inpainter:
        """A copy that knows the defects `examples` as well, beside normal `images`; this one stays as it is."""
        model = self._with_adapter()
        model._seed = seed
        normal = [Pyramid(self._standard(_tensor(image))) for image in images]
        defects = [_Defect.of(example, self._standard(_tensor(example.image))) for example in examples]
        loss = partial(self._mixed_loss, normal, defects)
        model._train(loss, len(images), self.shape.adapter_rate, steps, seconds, progress)
        return model

    def adapter(self) -> dict[str, NDArray[Any]]:
        """What adapting added, by name."""
        return adapter_arrays(self.network.unet)

    def with_adapter(self, arrays: dict[str, NDArray[Any]]) -> Inpainter:
        """A copy of this normal model with the adapter that `arrays` holds."""
        model = self._with_adapter()
        load_adapter(model.network.unet, arrays)
        return model

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The normal model's weights and units."""
        weights = {f"network.{name}": t.cpu().numpy() for name, t in self.network.state_dict().items()}
        return {**weights, "mean": self.mean.numpy(), "std": self.std.numpy()}

    def load(self, arrays: dict[str, NDArray[Any]]) -> Self:
        """Take what `arrays` gave."""
        prefix = "network."
        weights = {n[len(prefix) :]: torch.from_numpy(a) for n, a in arrays.items() if n.startswith(prefix)}
        self.network.load_state_dict(weights)
        self.network.eval()
        self.mean, self.std = torch.from_numpy(arrays["mean"]), torch.from_numpy(arrays["std"])
        return self

    @torch_threads()
    @torch.inference_mode()
    def paint(
        self, order: Order, *, steps: int, strength: float, guidance: float, seed: Sequence[int]
    ) -> NDArray[np.float32]:
        """The crop (s, s, 3) from 0 to 1, painted inside the mask and as it was outside.

        Args:
            order: what to paint.
            steps: DDIM steps of the whole way from pure noise.
            strength: share of that way that is gone from a start image; without one, all of it.
            guidance: w.
            seed: of the noise.
        """
        known = self._standard(_tensor(order.crop))[None]
        start = known if order.start is None else self._standard(_tensor(order.start))[None]
        mask = torch.from_numpy(order.mask)[None, None].float()
        noise = np.random.default_rng(list(seed)).standard_normal(known.shape, dtype=np.float32)
        eps = torch.from_numpy(noise)
        highest = TIMESTEPS - 1 if order.start is None else strength * (TIMESTEPS - 1)
        self._scheduler.set_timesteps(steps)
        way = [t for t in self._scheduler.timesteps.tolist() if t <= highest]
        x = start * mask + known * (1 - mask)
        low, high = (0 - self.mean) / self.std, (1 - self.mean) / self.std
        for t in way:
            told = torch.tensor([t])
            noised = self._scheduler.add_noise(x if t == way[0] else known, eps, told)
            x = noised if t == way[0] else mask * x + (1 - mask) * noised
            clean = self._guided(x, known, mask, told, order.label, guidance)
            clean = torch.minimum(torch.maximum(clean, low), high) * mask + known * (1 - mask)
            x = self._scheduler.step(clean, t, x).prev_sample
        painted: NDArray[np.float32] = ((x[0] * self.std + self.mean).clamp(0, 1)).permute(1, 2, 0).numpy()
        return np.where(order.mask[..., None], painted, order.crop)

    def _guided(self, x: Tensor, known: Tensor, mask: Tensor, t: Tensor, label: int, guidance: float) -> Tensor:
        x, known, mask, t = (torch.cat([a, a]) for a in (x, known, mask, t))
        normal, defect = self.network(x, known, mask, t, torch.tensor([0, label])).chunk(2)
        guided: Tensor = normal + guidance * (defect - normal)
        return guided

    def _with_adapter(self) -> Inpainter:
        model = copy.copy(self)
        model.network = copy.deepcopy(self.network)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self._seed)
            model.network.unet = adapted(model.network.unet, rank=self.shape.rank, label=True)
        model.network.eval()
        return model

    def _standard(self, image: Tensor) -> Tensor:
        return (image - self.mean) / self.std

    def _train(
        self, loss: Any, n: int, rate: float, steps: int, seconds: float | None, progress: Progress | None
    ) -> None:
        training = Training(steps=steps, batch=self.shape.batch, peak_rate=rate, ema=0.99, seconds=seconds)
        # images differ in size: the loop deals out their numbers, and the loss cuts the crops
        train(self.network, torch.arange(n), loss=loss, training=training, seed=self._seed, progress=progress)

    def _normal_loss(
        self, normal: Sequence[Pyramid], network: nn.Module, rows: Tensor, generator: torch.Generator
    ) -> Tensor:
        size = self.shape.size
        y = torch.stack([draw_crop(normal, int(row), size, generator) for row in rows])
        masks = draw_masks(len(rows), size, generator)
        return self._loss(network, y, masks, torch.zeros(len(rows), dtype=torch.long), generator)

    def _mixed_loss(
        self,
        normal: Sequence[Pyramid],
        defects: Sequence[_Defect],
        network: nn.Module,
        rows: Tensor,
        generator: torch.Generator,
    ) -> Tensor:
        """Half of the batch are defects in their masks, half normals in random ones."""
        size, half = self.shape.size, len(rows) // 2
        crops = [draw_crop(normal, int(row), size, generator) for row in rows[half:]]
        masks = list(draw_masks(len(crops), size, generator))
        labels = [0] * len(crops)
        for k in torch.randint(len(defects), (half,), generator=generator).tolist():
            crop, mask = defects[k].draw(size, generator)
            crops.append(crop)
            masks.append(mask)
            labels.append(defects[k].label)
        return self._loss(network, torch.stack(crops), torch.stack(masks), torch.tensor(labels), generator)

    def _loss(self, network: nn.Module, y: Tensor, mask: Tensor, label: Tensor, generator: torch.Generator) -> Tensor:
        """Squared error of x̂ inside the mask, weighted by the square root of the signal-to-noise ratio, .3 to 3."""
        noise = torch.randn(y.shape, generator=generator)
        t = torch.randint(TIMESTEPS, (len(y),), generator=generator)
        y, mask, noise, t, label = (a.to(device_of(network)) for a in (y, mask, noise, t, label))
        found = network(self._scheduler.add_noise(y, noise, t), y, mask, t, label)
        alpha = self._scheduler.alphas_cumprod.to(t.device)[t]
        weight = (alpha / (1 - alpha)).sqrt().clamp(0.3, 3)[:, None, None, None]
        error = (weight * mask * (found - y) ** 2).mean(1, keepdim=True)
        mean: Tensor = (error.sum((1, 2, 3)) / mask.sum((1, 2, 3)).clamp_min(16)).mean()
        return mean


def device_of(network: nn.Module) -> torch.device:
    """Where its weights are."""
    return next(network.parameters()).device


def _tensor(image: NDArray[np.float32]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(image, np.float32)).permute(2, 0, 1)


@dataclass(frozen=True)
class _Defect:
    """A defect's image and mask as one pyramid, and where it lies."""

    pyramid: Pyramid
    """Colours, then the mask."""
    label: int
    row: float
    column: float
    extent: float
    """Of the mask's box, the longer side."""
    turns: tuple[float, ...]

    @classmethod
    def of(cls, example: Example, image: Tensor) -> _Defect:
        rows, columns = np.nonzero(example.mask)
        extent = max(np.ptp(rows), np.ptp(columns)) + 1
        mask = torch.from_numpy(example.mask)[None].float()
        row, column = float(rows.min() + rows.max()) / 2, float(columns.min() + columns.max()) / 2
        return cls(Pyramid(torch.cat([image, mask])), example.label, row, column, float(extent), example.turns)

    def draw(self, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """A crop (c, size, size) around it, turned, mirrored, scaled, moved and lit a little, and its mask."""
        u = torch.rand(6, generator=generator).tolist()
        side = max(float(size), 1.3 * self.extent) * (0.85 + 0.3 * u[0])
        turn = self.turns[int(torch.randint(len(self.turns), (), generator=generator))]
        free = max(side - self.extent, 0) / 2 * 0.8
        view = View(
            self.row + free * (2 * u[1] - 1),
            self.column + free * (2 * u[2] - 1),
            side,
            turn=turn + _TURN * (2 * u[3] - 1),
            mirrored=u[4] < 0.5,
        )
        both = self.pyramid.cut(view, size)
        lit = both[:-1] + 0.2 * (2 * u[5] - 1)
        mask = (both[-1:] > 0.3).float()
        if not mask.any():
            mask[:, size // 2, size // 2] = 1
        return lit, mask
