"""Chats that see pictures: a provider's multimodal model, or one that runs here."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentad.llm.models import chat_model, public_name
from agentad.llm.prompts import render
from agentad.llm.structured import MAX_REPLY, Chat, Message, ModelChat, Reply, read

if TYPE_CHECKING:
    from agentad.backbones.vision_language import VisionLanguage

LOCAL = "local:"


def picture_chat(name: str, *, deadline: float = 120.0) -> Chat:
    """The chat called `name`: an id that `chat_model` knows, or `local:` and a folder or pinned hub id.

    Raises:
        InputError: it cannot be understood, or the model cannot be set up.
        WeightsMissing: a local model cannot be loaded.
        MissingExtra: a package is not installed.
    """
    if not name.startswith(LOCAL):
        return ModelChat(chat_model(name), public_name(name), deadline=deadline)
    from agentad.backbones.vision_language import VisionLanguage

    where = name.removeprefix(LOCAL)
    return LocalChat(VisionLanguage(where), LOCAL + Path(where).name, deadline=deadline)


class LocalChat:
    """A vision-language model on this machine, told the schema in words, answering within `deadline` seconds.

    What an unfinished answer lacks, it lacks. System messages are put before the first question: not every chat
    template has a place for them.
    """

    def __init__(self, model: VisionLanguage, name: str, *, deadline: float = 120.0) -> None:
        self.name = name
        self._model = model
        self._deadline = deadline

    def ask(self, schema: dict[str, Any], messages: Sequence[Message]) -> Reply:
        """A document of the JSON `schema`, not yet validated."""
        from agentad.backbones.vision_language import Turn

        rules = [message.text for message in messages if message.role == "system"]
        said = [message for message in messages if message.role != "system"]
        before = "\n\n".join([*rules, render("llm/schema.md", schema=json.dumps(schema))])
        turns = [
            Turn(
                role="assistant" if message.role == "ai" else "user",
                text=message.text if k else f"{before}\n\n{message.text}",
                pictures=tuple(base64.b64decode(picture) for picture in message.pictures),
            )
            for k, message in enumerate(said)
        ]
        try:
            return read(self._model.reply(turns, seconds=self._deadline)[:MAX_REPLY])
        except (
            RuntimeError,
            ValueError,
            TypeError,
            LookupError,
            OSError,
        ) as error:  # what models raise over odd inputs
            return Reply(error=f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}".rstrip(": "))
