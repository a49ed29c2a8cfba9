"""Defects painted into masks by a small diffusion model of normal images that LoRA has taught a few real defects."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from agentad.detectors.base import State
from agentad.diffusion.crops import scaled
from agentad.diffusion.inpaint import LABELS, Example, Inpainter, Order, Shape
from agentad.errors import InputError
from agentad.flow import Brief
from agentad.generators.images.base import Defect, DrawnImage, Pixels, Progress
from agentad.generators.images.foreground import turn_between
from agentad.generators.images.masks import Outline, Outlines
from agentad.generators.images.moved import moved
from agentad.generators.images.windows import changed, scaled_mask, window_of

Floats32 = NDArray[np.float32]
_SIZE = 64
"""Side of a crop that the network sees."""
_TURNS = 32
"""Normal images, at most, to whose object's direction the defects are turned when they are learned."""
_BASE, _ADAPTER = "base/", "adapter/"


class InpaintingDiffusion:
    """Paints defects into outlines on normal images: `agentad.diffusion.inpaint`.

    The model of normal images is kept: another `fit` on the same normal images, with other defects, only adapts. It is
    always drawn from the same seed, so that what was kept is what would be learned; the seed of `fit` is the adapter's.

    Args:
        start: `paste` begins at a real defect's pixels, moved to where the outline came to lie; `noise` at noise.
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
    """

    fewest = 1

    def __init__(
        self,
        *,
        start: str = "paste",
        strength: float = 0.5,
        guidance: float = 1.5,
        sampling_steps: int = 20,
        steps: int = 1000,
        adapt_steps: int = 400,
        seconds: float = 0.0,
        rank: int = 16,
        width: int = 32,
        resolution: int = 256,
    ) -> None:
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
            raise InputError("inpainting diffusion learns from real defects and there is none; give at least one")
        self._kinds = sorted({defect.kind for defect in defects})
        if len(self._kinds) >= LABELS:
            raise InputError(f"inpainting diffusion: {len(self._kinds)} types of defect; it tells {LABELS - 1} apart")
        self._normal, self._defects = list(normal), list(defects)
        self._outlines = Outlines().fit(normal, defects)
        base, adapter = _digest(normal), _digest([d.image for d in defects], [d.mask for d in defects], seed)
        counted = _Counted(progress, self.steps, self.adapt_steps)
        small = [self._small(image) for image in normal]
        if self._base is None or self._keys["base"] != base:
            self._base, self._adapted = Inpainter(self._shape()), None
            self._base.learn(small, steps=self.steps, seconds=self.seconds or None, progress=counted.base)
        if self._adapted is None or self._keys["adapter"] != adapter:
            examples = self._examples(normal, defects)
            self._adapted = self._base.adapt(
                small,
                examples,
                steps=self.adapt_steps,
                seconds=self.seconds or None,
                seed=seed,
                progress=counted.adapter,
            )
        self._keys = {"base": base, "adapter": adapter}
        return self

    def sample(self, briefs: Sequence[Brief], normal: Sequence[int], *, seed: int = 0) -> list[DrawnImage | None]:
        """See `ImageGenerator.sample`. A brief's text is not read.

        Raises:
            InputError: a brief's type is not among the defects'.
        """
        return [
            self._one(brief, index, seed=(seed, k)) for k, (brief, index) in enumerate(zip(briefs, normal, strict=True))
        ]

    def state(self) -> State:
        """The model of normal images under `base/`, what adapting added under `adapter/`, and what they learned from.

        A restored generator wants `fit` with the same images, which then takes no training.
        """
        assert self._base is not None and self._adapted is not None
        arrays = {_BASE + name: array for name, array in self._base.arrays().items()}
        arrays |= {_ADAPTER + name: array for name, array in self._adapted.adapter().items()}
        return State(arrays, {"params": self.settings(), "keys": dict(self._keys)})

    def settings(self) -> dict[str, Any]:
        """The constructor's parameters."""
        names = ("start", "strength", "guidance", "sampling_steps", "steps", "adapt_steps", "seconds")
        return {name: getattr(self, name) for name in (*names, "rank", "width", "resolution")}

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
        height, width = _shrunk(image.shape, self.resolution)
        return scaled(image, height, width) / 255

    def _examples(self, normal: Sequence[Pixels], defects: Sequence[Defect]) -> list[Example]:
        """Defects, and the angles at which the normal images' objects lie beside theirs."""
        chosen = np.unique(np.linspace(0, len(normal) - 1, min(len(normal), _TURNS)).astype(int))
        poses = [self._outlines.scene(normal[int(i)]).pose for i in chosen]
        found = []
        for defect in defects:
            own = self._outlines.scene(defect.image).pose
            mask = scaled_mask(defect.mask, *_shrunk(defect.image.shape, self.resolution))
            turns = tuple(turn_between(own, pose) for pose in poses)
            found.append(Example(self._small(defect.image), mask, 1 + self._kinds.index(defect.kind), turns))
        return found

    def _one(self, brief: Brief, index: int, *, seed: tuple[int, int]) -> DrawnImage | None:
        rng = np.random.default_rng(seed)
        image = self._normal[index]
        outline = self._outlines.draw(brief, self._outlines.scene(image), rng)
        if outline is None:
            return None
        change = self._change(image, outline, seed) * rng.uniform(*brief.strength)
        found = changed(image, change, outline.mask)
        return found and DrawnImage(*found, index, outline.anomaly, outline.kind)

    def _change(self, image: Pixels, outline: Outline, seed: tuple[int, int]) -> Floats32:
        """(H, W, 3) grey levels to add to `image`."""
        assert self._adapted is not None
        ratio = max(image.shape[:2]) / max(_shrunk(image.shape, self.resolution))
        window = window_of(outline.mask, round(_SIZE * ratio))
        box = window.slices
        crop = image[box].astype(np.float32)
        label = 1 + self._kinds.index(self._defects[outline.anomaly].kind)
        begin = None
        if self.start == "paste" and outline.move is not None:
            begin = moved(self._defects[outline.anomaly], outline.move, image, outline.mask, box)
        small = None if begin is None else scaled(begin, _SIZE, _SIZE) / 255
        mask = scaled_mask(outline.mask[box], _SIZE, _SIZE)
        order = Order(scaled(crop, _SIZE, _SIZE) / 255, mask, label, small)
        painted = self._adapted.paint(
            order, steps=self.sampling_steps, strength=self.strength, guidance=self.guidance, seed=seed
        )
        if begin is None or small is None:
            new = 255 * scaled(painted, window.side, window.side)
        else:  # what was painted at the network's size is added to the start, which keeps its own sharpness
            new = begin + 255 * scaled(painted - small, window.side, window.side)
        change = np.zeros(image.shape, dtype=np.float32)
        change[box] = new - crop
        return change


class _Counted:
    """One count of steps for two trainings."""

    def __init__(self, progress: Progress | None, steps: int, adapt_steps: int) -> None:
        self._progress, self._steps, self._total = progress, steps, steps + adapt_steps

    def base(self, done: int, total: int) -> None:
        if self._progress is not None:
            self._progress(done, self._total)

    def adapter(self, done: int, total: int) -> None:
        if self._progress is not None:
            self._progress(self._steps + done, self._total)


def _shrunk(shape: tuple[int, ...], longest: int) -> tuple[int, int]:
    """Height and width of an image of this shape when its longer side is at most `longest`."""
    ratio = max(1.0, max(shape[:2]) / longest)
    return max(1, round(shape[0] / ratio)), max(1, round(shape[1] / ratio))


def _under(prefix: str, arrays: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    return {name[len(prefix) :]: array for name, array in arrays.items() if name.startswith(prefix)}


def _digest(*parts: Any) -> str:
    """Of arrays and what surrounds them."""
    digest = hashlib.sha256()
    for part in parts:
        for array in part if isinstance(part, Sequence) else [np.asarray(part)]:
            digest.update(f"{array.shape}{array.dtype}".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
