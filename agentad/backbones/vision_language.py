"""A vision-language model of transformers on this machine: pictures and text in, text out."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor

from agentad.backbones.threads import torch_threads
from agentad.errors import InputError, MissingExtra, WeightsMissing

MOST_TOKENS = 256
"""Tokens of an answer."""
_PINNED = re.compile(r"([\w.-]+/[\w.-]+)@([0-9a-f]{40})")


@dataclass(frozen=True)
class Turn:
    """One turn of a conversation."""

    role: Literal["user", "assistant"]
    text: str
    pictures: tuple[bytes, ...] = ()
    """PNG files, shown before the text."""


class VisionLanguage:
    """Any model that transformers knows as image-text-to-text and whose processor has a chat template.

    It always answers the same to the same: the likeliest token each time, nothing drawn.

    Args:
        where: a folder in transformers' layout, or a hub id with the commit, `owner/name@…`. Safetensors only, and no
            code of the model's own.

    Raises:
        InputError: neither a folder nor a pinned id, or no chat template.
        WeightsMissing: it cannot be loaded from there.
        MissingExtra: its processor needs a package that is not installed.
    """

    def __init__(self, where: str) -> None:
        pinned = None if Path(where).is_dir() else _PINNED.fullmatch(where)
        if not Path(where).is_dir() and not pinned:
            raise InputError(
                f"model {where!r}: give the folder of a vision-language model, or its hub id with the 40 digits of the "
                "commit, owner/name@…"
            )
        name, revision = (pinned[1], pinned[2]) if pinned else (where, None)
        offline = bool(os.environ.get("AGENTAD_OFFLINE")) or not pinned
        options: dict[str, Any] = {"revision": revision, "local_files_only": offline, "trust_remote_code": False}
        try:
            processors: Any = AutoProcessor  # without types
            self._processor = processors.from_pretrained(name, **options)
            model: Any = AutoModelForImageTextToText.from_pretrained(
                name, use_safetensors=True, dtype="auto", **options
            )
        except ImportError as error:
            reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
            raise MissingExtra(f"model {where}: it needs a package that is not installed: {reason}") from error
        except (OSError, ValueError) as error:
            reason = next(iter(str(error).splitlines()), type(error).__name__)
            raise WeightsMissing(
                f"model {where}: cannot be loaded ({reason}); download it on a connected machine, with its processor "
                "and model.safetensors, and give its folder"
            ) from error
        if not getattr(self._processor, "chat_template", None):
            raise InputError(f"model {where}: its processor has no chat template; give a model that was made for chat")
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._model = model.to(self._device).eval().requires_grad_(False)

    @torch.inference_mode()
    def reply(self, turns: Sequence[Turn], *, seconds: float, most: int = MOST_TOKENS) -> str:
        """The answer to `turns`, at most `most` tokens and what was said when `seconds` were over."""
        talk = [{"role": turn.role, "content": _content(turn)} for turn in turns]
        asked = self._processor.apply_chat_template(
            talk, add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt"
        ).to(self._device, dtype=self._model.dtype)
        with torch_threads():
            said = self._model.generate(**asked, max_new_tokens=most, do_sample=False, max_time=seconds)
        new = said[:, asked["input_ids"].shape[1] :]
        return str(self._processor.batch_decode(new, skip_special_tokens=True)[0]).strip()


def _content(turn: Turn) -> list[dict[str, Any]]:
    pictures = [Image.open(io.BytesIO(png), formats=("PNG",)).convert("RGB") for png in turn.pictures]
    return [*({"type": "image", "image": picture} for picture in pictures), {"type": "text", "text": turn.text}]
