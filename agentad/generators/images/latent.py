"""Defects painted by a pretrained text-to-image model for inpainting, which LoRA has taught a few real ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from agentad.detectors.base import State
from agentad.diffusion.crops import scaled
from agentad.diffusion.latent_inpaint import LatentInpainter, Told, load_pipeline
from agentad.errors import InputError
from agentad.flow import Brief
from agentad.generators.images.base import Defect, DrawnImage, Mask, Pixels, Progress
from agentad.generators.images.masks import Outline
from agentad.generators.images.repainted import Repainted, digest
from agentad.generators.images.windows import Window, scaled_mask, window_of
from agentad.llm.prompts import render

Floats32 = NDArray[np.float32]
_SHARE = 0.4
"""Of an image's shorter side, the least side of a window."""
_BATCH = 2
_RATE = 2e-4


class LatentInpainting(Repainted):
    """Paints by prompt into outlines on normal images: `agentad.diffusion.latent_inpaint`.

    A brief's text is what the prompt says of the defect; else its type is. The prompts are in `prompts/generator/`.

    Args:
        model: folder or hub id (`owner/name@commit`) of a diffusers `StableDiffusionInpaintPipeline`.
        object_name: what the images show.
        start: `paste` begins at residual paste; `noise` at noise.
        strength: how far from its start a sample may go, as the share of the way from noise; for `paste`.
        guidance: classifier-free, against an empty prompt.
        sampling_steps: DDIM steps of the whole way from noise.
        adapt_steps: training steps of the adapter; 0: the model as it is.
        rank: of the adapter.
        size: side in pixels at which windows are painted.
        tries: places that are compared for each defect, as residual paste does.
    """

    def __init__(
        self,
        *,
        model: str = "",
        object_name: str = "object",
        start: str = "paste",
        strength: float = 0.5,
        guidance: float = 4.0,
        sampling_steps: int = 25,
        adapt_steps: int = 300,
        rank: int = 8,
        size: int = 512,
        tries: int = 6,
    ) -> None:
        super().__init__(tries=tries)
        self.model = model
        self.object_name = object_name
        self.start = start
        self.strength = strength
        self.guidance = guidance
        self.sampling_steps = sampling_steps
        self.adapt_steps = adapt_steps
        self.rank = rank
        self.size = size
        self._inpainter: LatentInpainter | None = None
        self._kept: dict[str, NDArray[Any]] | None = None
        self._key = ""
        self._text: str | None = None

    def fit(
        self,
        normal: Sequence[Pixels],
        defects: Sequence[Defect],
        *,
        seed: int = 0,
        progress: Progress | None = None,
    ) -> Self:
        """Teach the model the defects in their masks, and as many normals in the same masks.

        Raises:
            InputError: no defect, no normal image, no model, or one that is not for inpainting.
            WeightsMissing: the model cannot be loaded.
        """
        if not defects:
            raise InputError("latent-inpainting starts from real defects and there is none; use manipulated-normals")
        super().fit(normal, defects, seed=seed)
        key = digest(normal, [d.image for d in defects], [d.mask for d in defects], seed)
        if self._kept is not None and self._key == key:
            self._loaded().load_adapter(self._kept)
        else:
            self._loaded().adapt(
                self._told(normal, defects, seed),
                steps=self.adapt_steps,
                batch=_BATCH,
                rate=_RATE,
                seed=seed,
                progress=progress,
            )
        self._key, self._kept = key, self._loaded().adapter()
        return self

    def state(self) -> State:
        """The adapter alone; the model stays where it is. A restored generator wants `fit` with the same images.

        Raises:
            InputError: nothing was learned yet.
        """
        if self._kept is None:
            raise InputError("latent-inpainting has not learned anything to keep; call fit first")
        return State(self._kept, {"params": self.settings(), "key": self._key})

    def settings(self) -> dict[str, Any]:
        """The constructor's parameters."""
        names = ("model", "object_name", "start", "strength", "guidance", "sampling_steps", "adapt_steps")
        return {name: getattr(self, name) for name in (*names, "rank", "size", "tries")}

    @classmethod
    def restore(cls, state: State) -> Self:
        """The generator that `state` came from, before its `fit`, which then takes no training."""
        generator = cls(**state.settings["params"])
        generator._kept, generator._key = dict(state.arrays), state.settings["key"]
        return generator

    def _loaded(self) -> LatentInpainter:
        if self._inpainter is None:
            self._inpainter = LatentInpainter(load_pipeline(self.model), rank=self.rank)
        return self._inpainter

    def _told(self, normal: Sequence[Pixels], defects: Sequence[Defect], seed: int) -> list[Told]:
        """Each defect in its window as it is and mirrored, and a normal image in the same window."""
        rng = np.random.default_rng(seed)
        told = []
        for defect in defects:
            window = window_of(defect.mask, self._least(defect.image))
            other = normal[int(rng.integers(len(normal)))]
            flawless = scaled(other, *defect.image.shape[:2])
            for image, prompt in ((defect.image, self._prompt(defect.kind)), (flawless, self._flawless())):
                crop = scaled(image[window.box], self.size, self.size) / np.float32(255)
                mask = scaled_mask(defect.mask[window.box], self.size, self.size)
                told += [Told(crop, mask, prompt), Told(crop[:, ::-1].copy(), mask[:, ::-1].copy(), prompt)]
        return told

    def _prompt(self, defect: str) -> str:
        said = defect.replace("_", " ") or "damaged"
        return render("generator/defect.md", object=self.object_name, defect=said)

    def _flawless(self) -> str:
        return render("generator/normal.md", object=self.object_name)

    def _least(self, image: Pixels) -> int:
        side: int = max(1, round(_SHARE * min(image.shape[:2])))
        return side

    def _one(self, brief: Brief, index: int, rng: np.random.Generator) -> DrawnImage | None:
        self._text = brief.text
        return super()._one(brief, index, rng)

    def _painted(
        self, image: Pixels, start: Floats32, region: Mask, window: Window, outline: Outline, seed: Sequence[int]
    ) -> Floats32:
        begin = scaled(start, self.size, self.size) / np.float32(255)
        painted = self._loaded().paint(
            begin,
            scaled_mask(region, self.size, self.size),
            self._prompt(self._text or self._defects[outline.anomaly].kind),
            strength=self.strength if self.start == "paste" else 1.0,
            guidance=self.guidance,
            steps=self.sampling_steps,
            seed=int(seed[0]) << 32 | int(seed[1]),
        )
        return 255 * scaled(painted, window.side, window.side)
