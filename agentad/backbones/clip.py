"""Images and sentences in one space: CLIP (arXiv 2103.00020) and SigLIP (arXiv 2303.15343), by folder or pinned id."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional
from transformers import (
    AutoTokenizer,
    CLIPModel,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
    PreTrainedConfig,
    SiglipModel,
    SiglipVisionConfig,
    SiglipVisionModel,
)

from agentad.errors import InputError, MissingExtra, WeightsMissing
from agentad.store.atomic import write_json
from agentad.store.documents import read_json

SAID, WEIGHTS = "clip.json", "clip.safetensors"
_FAMILIES: dict[str, tuple[Any, Any, Any]] = {
    "clip": (CLIPModel, CLIPVisionConfig, CLIPVisionModelWithProjection),
    "siglip": (SiglipModel, SiglipVisionConfig, SiglipVisionModel),
}
_MEAN = {"clip": [0.48145466, 0.4578275, 0.40821073], "siglip": [0.5, 0.5, 0.5]}
_STD = {"clip": [0.26862954, 0.26130258, 0.27577711], "siglip": [0.5, 0.5, 0.5]}
_PINNED = re.compile(r"([\w.-]+/[\w.-]+)@([0-9a-f]{40})")
_AT_ONCE = 64
"""Windows that go through the network together."""


class ClipVision:
    """The image tower: embeddings of length 1 of whole images and of windows of patches.

    Weights are rounded to float16, so that what is saved is what was used, and computed with in float32.
    """

    def __init__(self, model: Any, said: dict[str, Any]) -> None:
        self._model, self._said = model, said
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._model.to(self._device).eval().requires_grad_(False)

    @property
    def untrained(self) -> bool:
        """Whether the weights are as a random generator left them: no normalisation has learned an offset."""
        return bool(self._said["untrained"])

    @property
    def temperature(self) -> float:
        """What cosines are multiplied by before the softmax."""
        return float(self._said["temperature"])

    @property
    def side(self) -> int:
        """Patches a side."""
        return int(self._model.config.image_size) // int(self._model.config.patch_size)

    @torch.inference_mode()
    def image(self, image: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """(d,) of an image (h, w, 3) from 0 to 1."""
        whole: NDArray[np.float32] = self._embedded(self._tokens(image))[0]
        return whole

    @torch.inference_mode()
    def windows(self, image: NDArray[np.floating[Any]], size: int) -> NDArray[np.float32]:
        """(k, k, d) of the k × k windows of `size` × `size` patches, k = side − size + 1: only those patches are seen.

        As in WinCLIP (arXiv 2303.14814, section 4.2), patches outside the window are left out before the transformer.
        """
        tokens = self._tokens(image)
        first = tokens.shape[1] - self.side**2  # 1 where there is a class token
        place = torch.arange(self.side**2).reshape(self.side, self.side)
        windows = place.unfold(0, size, 1).unfold(1, size, 1)  # (k, k, size, size)
        count = windows.shape[0]
        index = torch.cat([torch.arange(first).expand(count**2, first), first + windows.reshape(count**2, -1)], dim=1)
        parts = [self._embedded(tokens[0, part.to(self._device)]) for part in torch.split(index, _AT_ONCE)]
        return np.concatenate(parts).reshape(count, count, -1)

    def _tokens(self, image: NDArray[np.floating[Any]]) -> Tensor:
        """(1, tokens, c), the class token first where there is one."""
        size = int(self._model.config.image_size)
        pixels = torch.from_numpy(np.ascontiguousarray(image, np.float32)).permute(2, 0, 1)[None]
        if pixels.shape[2:] != (size, size):
            pixels = functional.interpolate(
                pixels, size=(size, size), mode="bicubic", antialias=True, align_corners=False
            ).clamp(0, 1)
        mean, std = (torch.tensor(self._said[name]).view(3, 1, 1) for name in ("mean", "std"))
        vision = self._vision
        tokens: Tensor = vision.embeddings(((pixels - mean) / std).to(self._device))
        return vision.pre_layrnorm(tokens) if self._said["family"] == "clip" else tokens

    def _embedded(self, tokens: Tensor) -> NDArray[np.float32]:
        """Tokens (n, t, c) to embeddings (n, d) of length 1."""
        vision = self._vision
        states = vision.encoder(inputs_embeds=tokens).last_hidden_state
        if self._said["family"] == "clip":
            pooled = self._model.visual_projection(vision.post_layernorm(states[:, 0]))
        else:
            pooled = vision.head(vision.post_layernorm(states))
        embedded: NDArray[np.float32] = functional.normalize(pooled, dim=-1).cpu().numpy()
        return embedded

    @property
    def _vision(self) -> Any:
        return getattr(self._model, "vision_model", self._model)

    def save(self, folder: Path) -> None:
        """Write the tower and its settings."""
        write_json(folder / SAID, {**self._said, "config": self._model.config.to_dict()})
        save_file({k: v.half().cpu().contiguous() for k, v in self._model.state_dict().items()}, folder / WEIGHTS)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """What `save` wrote."""
        said: dict[str, Any] = dict(read_json(folder / SAID))
        return cls._of(said, said.pop("config"), load_file(folder / WEIGHTS))

    @classmethod
    def _of(cls, said: dict[str, Any], config: dict[str, Any], weights: dict[str, Tensor]) -> Self:
        _, settings, tower = _FAMILIES[said["family"]]
        model = tower(settings.from_dict(config))
        model.load_state_dict({name: tensor.half().float() for name, tensor in weights.items()})
        return cls(model, said)


class ClipPair:
    """Both towers, as they come from a folder or the hub.

    Args:
        where: a folder in transformers' layout, or a hub id with the commit, `owner/name@…`. Safetensors only.

    Raises:
        InputError: neither a folder nor a pinned id, or another kind of model.
        WeightsMissing: it cannot be loaded from there.
        MissingExtra: its tokenizer needs a package that is not installed.
    """

    def __init__(self, where: str) -> None:
        pinned = None if Path(where).is_dir() else _PINNED.fullmatch(where)
        if not Path(where).is_dir() and not pinned:
            raise InputError(
                f"model {where!r}: give the folder of a CLIP or SigLIP model, or its hub id with the 40 digits of the "
                "commit, owner/name@…"
            )
        name, revision = (pinned[1], pinned[2]) if pinned else (where, None)
        offline = bool(os.environ.get("AGENTAD_OFFLINE")) or not pinned
        options: dict[str, Any] = {"revision": revision, "local_files_only": offline}
        try:
            config = PreTrainedConfig.get_config_dict(name, **options)[0]
            self._family = str(config.get("model_type"))
            if not config:
                raise OSError("there is no config.json")
            if self._family not in _FAMILIES:
                raise InputError(f"model {where}: of type {self._family!r}; give one of {', '.join(_FAMILIES)}")
            self._model = _FAMILIES[self._family][0].from_pretrained(name, use_safetensors=True, **options).eval()
            self._tokenizer: Any = AutoTokenizer.from_pretrained(name, **options)
        except ImportError as error:
            raise MissingExtra(
                f"model {where}: its tokenizer needs more packages: pip install sentencepiece protobuf"
            ) from error
        except (OSError, ValueError) as error:
            reason = next(iter(str(error).splitlines()), type(error).__name__)
            raise WeightsMissing(
                f"model {where}: cannot be loaded ({reason}); download it on a connected machine, with "
                "model.safetensors, and give its folder"
            ) from error
        self._where = Path(name)

    def vision(self) -> ClipVision:
        """The image tower alone."""
        model, vision = self._model, self._model.config.vision_config
        norms = [m.bias for m in model.modules() if isinstance(m, torch.nn.LayerNorm) and m.bias is not None]
        said = {
            "family": self._family,
            **self._scaling(),
            "temperature": float(model.logit_scale.detach().exp()),
            "untrained": not any(bool(bias.any()) for bias in norms),
        }
        config = vision.to_dict()
        if self._family == "clip":
            config["projection_dim"] = model.config.projection_dim
        own = _FAMILIES[self._family][2](type(vision).from_dict(config)).state_dict()
        whole = model.state_dict()
        weights = {name: whole[name if name in whole else f"vision_model.{name}"] for name in own}
        return ClipVision._of(said, config, weights)

    @torch.inference_mode()
    def sentences(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(n, d) embeddings of length 1."""
        length = int(self._model.config.text_config.max_position_embeddings)
        told = self._tokenizer(
            list(texts), padding="max_length", truncation=True, max_length=length, return_tensors="pt"
        )
        if self._family == "siglip":  # has learned from padded sentences without a mask
            found = self._model.get_text_features(input_ids=told["input_ids"])
        else:
            found = self._model.get_text_features(input_ids=told["input_ids"], attention_mask=told["attention_mask"])
        embedded: NDArray[np.float32] = functional.normalize(getattr(found, "pooler_output", found), dim=-1).numpy()
        return embedded

    def _scaling(self) -> dict[str, list[float]]:
        """Mean and spread of colours that the model was trained with."""
        path = self._where / "preprocessor_config.json"
        read = read_json(path) if path.is_file() else {}
        found = read if isinstance(read, dict) else {}
        return {
            "mean": [float(v) for v in found.get("image_mean", _MEAN[self._family])],
            "std": [float(v) for v in found.get("image_std", _STD[self._family])],
        }
