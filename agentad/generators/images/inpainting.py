"""Defects painted into masks by a small diffusion model of normal images that LoRA has taught a few real defects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from agentad.detectors.base import State
from agentad.diffusion.crops import scaled
from agentad.diffusion.inpaint import LABELS, Example, Inpainter, Order, Shape
from agentad.errors import InputError
from agentad.generators.images.base import Defect, Mask, Pixels, Progress
from agentad.generators.images.foreground import turn_between
from agentad.generators.images.masks import Outline
from agentad.generators.images.repainted import Repainted, digest
from agentad.generators.images.windows import Window, scaled_mask, shrunk

Floats32 = NDArray[np.float32]
_SIZE = 64
"""Side of a crop that the network sees."""
_TURNS = 32
"""Normal images, at most, to whose object's direction the defects are turned when they are learned."""
_BASE, _ADAPTER = "base/", "adapter/"


class InpaintingDiffusion(Repainted):
    """Paints defects into outlines on normal images: `agentad.diffusion.inpaint`.

    The model of normal images is kept: another `fit` on the same normal images, with other defects, only adapts. It is
    always drawn from the same seed, so that what was kept is what would be learned; the seed of `fit` is the adapter's.

    Args:
        start: `paste` begins at residual paste; `noise` at noise.
        strength: how far from its start a sample may go, as the share of the way from noise; for `paste`.
        guidance: 1 follows the type of defect, more also leaves the normals.
        sampling_steps: DDIM steps of the whole way from noise.
        steps: training steps on normals.
        adapt_steps: training steps of the adapter.
        seconds: CPU seconds at most of each training; 0: no limit. Where this ends one, the result depends on the
            machine.
        rank: of the adapter.
        width: channels of the network's first level.
        resolution: longer side to which images are shrunk to learn from them.
        tries: places that are compared for each defect, as residual paste does.
    """

    def __init__(
        self,
        *,
        start: str = "paste",
        strength: float = 0.3,
        guidance: float = 1.0,
        sampling_steps: int = 20,
        steps: int = 1000,
        adapt_steps: int = 400,
        seconds: float = 0.0,
        rank: int = 16,
        width: int = 32,
        resolution: int = 256,
        tries: int = 6,
    ) -> None:
        super().__init__(tries=tries)
        self.start = start
        self.strength = strength
        self.guidance = guidance
        self.sampling_steps = sampling_steps
        self.steps = steps
        self.adapt_steps = adapt_steps
        self.seconds = seconds
        self.rank = rank
        self.width = width
        self.resolution = resolution
        self._base: Inpainter | None = None
        self._adapted: Inpainter | None = None
        self._keys = {"base": "", "adapter": ""}

    def fit(
        self,
        normal: Sequence[Pixels],
        defects: Sequence[Defect],
        *,
        seed: int = 0,
        progress: Progress | None = None,
    ) -> Self:
        """Learn the normals unless they are known already, then the defects.

        Raises:
            InputError: no defect, no normal image, or more types of defect than the network has labels for.
        """
        if not defects:
            raise InputError("inpainting-diffusion learns from real defects and there is none; use manipulated-normals")
        self._kinds = sorted({defect.kind for defect in defects})
        if len(self._kinds) >= LABELS:
            raise InputError(f"inpainting-diffusion: {len(self._kinds)} types of defect; it tells {LABELS - 1} apart")
        super().fit(normal, defects, seed=seed)
        base, adapter = digest(normal), digest([d.image for d in defects], [d.mask for d in defects], seed)
        small, limit = [self._small(image) for image in normal], self.seconds or None
        told = progress or _silent
        if self._base is None or self._keys["base"] != base:
            self._adapted = None
            self._base = Inpainter(self._shape()).learn(
                small, steps=self.steps, seconds=limit, progress=lambda k, n: told(k, n + self.adapt_steps)
            )
        if self._adapted is None or self._keys["adapter"] != adapter:
            self._adapted = self._base.adapt(
                small,
                self._examples(normal, defects),
                steps=self.adapt_steps,
                seconds=limit,
                seed=seed,
                progress=lambda k, n: told(self.steps + k, self.steps + n),
            )
        self._keys = {"base": base, "adapter": adapter}
        return self

    def state(self) -> State:
        """The model of normal images under `base/`, what adapting added under `adapter/`, and what they learned from.

        A restored generator wants `fit` with the same images, which then takes no training.

        Raises:
            InputError: it has learned nothing yet.
        """
        if self._base is None or self._adapted is None:
            raise InputError("inpainting-diffusion has not learned anything to keep; call fit first")
        arrays = {_BASE + name: array for name, array in self._base.arrays().items()}
        arrays |= {_ADAPTER + name: array for name, array in self._adapted.adapter().items()}
        return State(arrays, {"params": self.settings(), "keys": dict(self._keys)})

    def settings(self) -> dict[str, Any]:
        """The constructor's parameters."""
        names = ("start", "strength", "guidance", "sampling_steps", "steps", "adapt_steps", "seconds")
        return {name: getattr(self, name) for name in (*names, "rank", "width", "resolution", "tries")}

    @classmethod
    def restore(cls, state: State) -> Self:
        """The generator that `state` came from, before its `fit`."""
        generator = cls(**state.settings["params"])
        generator._base = Inpainter(generator._shape()).load(_under(_BASE, state.arrays))
        generator._adapted = generator._base.with_adapter(_under(_ADAPTER, state.arrays))
        generator._keys = dict(state.settings["keys"])
        return generator

    def _shape(self) -> Shape:
        return Shape(size=_SIZE, width=self.width, rank=self.rank)

    def _small(self, image: Pixels) -> Floats32:
        return scaled(image, *shrunk(image.shape, self.resolution)) / np.float32(255)

    def _examples(self, normal: Sequence[Pixels], defects: Sequence[Defect]) -> list[Example]:
        """Defects, and the angles at which the normal images' objects lie beside theirs."""
        chosen = np.unique(np.linspace(0, len(normal) - 1, min(len(normal), _TURNS)).astype(int))
        poses = [self._outlines.scene(normal[int(i)]).pose for i in chosen]
        found = []
        for defect, source in zip(defects, self._outlines.sources, strict=True):
            mask = scaled_mask(defect.mask, *shrunk(defect.image.shape, self.resolution))
            turns = tuple(turn_between(source.scene.pose, pose) for pose in poses)
            found.append(Example(self._small(defect.image), mask, 1 + self._kinds.index(defect.kind), turns))
        return found

    def _least(self, image: Pixels) -> int:
        side: int = round(_SIZE * max(image.shape[:2]) / max(shrunk(image.shape, self.resolution)))
        return side

    def _painted(
        self, image: Pixels, start: Floats32, region: Mask, window: Window, outline: Outline, seed: Sequence[int]
    ) -> Floats32:
        if self._adapted is None:
            raise InputError("inpainting-diffusion has not learned anything; call fit first")
        crop = scaled(image[window.box], _SIZE, _SIZE) / np.float32(255)
        begin = scaled(start, _SIZE, _SIZE) / np.float32(255) if self.start == "paste" else None
        label = 1 + self._kinds.index(self._defects[outline.anomaly].kind)
        painted = self._adapted.paint(
            Order(crop, scaled_mask(region, _SIZE, _SIZE), label, begin),
            steps=self.sampling_steps,
            strength=self.strength,
            guidance=self.guidance,
            seed=seed,
        )
        if begin is None:
            return 255 * scaled(painted, window.side, window.side)
        # where the window is larger than what the network sees, the start keeps its own sharpness
        return start + 255 * scaled(painted - begin, window.side, window.side)


def _silent(done: int, total: int) -> None:
    """Progress that no one asked for."""


def _under(prefix: str, arrays: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    return {name[len(prefix) :]: array for name, array in arrays.items() if name.startswith(prefix)}
