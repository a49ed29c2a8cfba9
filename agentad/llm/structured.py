"""Asking a chat model for one JSON document."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

from agentad.errors import AgentadError
from agentad.flow import Noun
from agentad.llm.deadline import within

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

MAX_REPLY = 20_000
"""Characters of a reply that are looked at; a model that talks for ever is cut off here."""


class Message(Noun):
    """One turn of a conversation."""

    role: Literal["system", "human", "ai"]
    text: str
    pictures: tuple[str, ...] = ()
    """PNG files in base64, shown after the text."""


@dataclass(frozen=True)
class Reply:
    """What came back: `text`, and the JSON object it consists of, if it does. Or the `error` that came instead."""

    text: str = ""
    document: dict[str, Any] | None = None
    error: str | None = None


class Chat(Protocol):
    """Somebody who answers with a document: a model, or a file of what a model once answered."""

    @property
    def name(self) -> str:
        """Id of the model, without passwords."""
        ...

    def ask(self, schema: dict[str, Any], messages: Sequence[Message]) -> Reply:
        """A document of the JSON `schema`, not yet validated."""
        ...


class ModelChat:
    """A LangChain chat model that answers within `deadline` seconds or not at all."""

    def __init__(self, model: BaseChatModel, name: str, *, deadline: float = 120.0) -> None:
        self.name = name
        self._model = model
        self._deadline = deadline

    def ask(self, schema: dict[str, Any], messages: Sequence[Message]) -> Reply:
        """A document of the JSON `schema`, from the reply's tool call or its text.

        Whatever the model's library raises becomes `Reply.error`, without secrets; errors of ours pass through.
        """
        turns = [(message.role, _content(message)) for message in messages]
        try:
            answer = within(self._deadline, lambda: self._answer(schema, turns))
        except AgentadError:
            raise
        except Exception as error:  # each provider's library has its own kinds
            return Reply(error=without_secrets(f"{type(error).__name__}: {error}".rstrip(": ")))
        return read(text_of(answer))

    def _answer(self, schema: dict[str, Any], turns: Sequence[tuple[str, Any]]) -> Any:
        answer: Any = self._model.with_structured_output(schema, include_raw=True).invoke(turns)
        return answer["raw"]


def _content(message: Message) -> Any:
    """The text, or text and pictures in the form that every provider's LangChain package takes."""
    if not message.pictures:
        return message.text
    urls = [f"data:image/png;base64,{picture}" for picture in message.pictures]
    return [{"type": "text", "text": message.text}, *({"type": "image_url", "image_url": {"url": u}} for u in urls)]


def text_of(message: Any) -> str:
    """A LangChain message as text: the arguments of its first tool call as JSON, or else what it says."""
    text = json.dumps(message.tool_calls[0]["args"], ensure_ascii=False) if message.tool_calls else str(message.text)
    return text[:MAX_REPLY]


def read(text: str) -> Reply:
    """`text` with the JSON object it consists of, bare or in one fenced block."""
    fenced = re.fullmatch(r"\s*```(?:json)?\s*\n(.*)\n\s*```\s*", text, re.DOTALL)
    try:
        document = json.loads(fenced[1] if fenced else text)
    except (ValueError, RecursionError):
        return Reply(text)
    return Reply(text, document if isinstance(document, dict) else None)


def without_secrets(text: str) -> str:
    """`text` with the values of environment variables that name keys, tokens or passwords starred out.

    Some libraries repeat them in their errors.
    """
    for name, value in sorted(os.environ.items()):
        if re.search(r"KEY|TOKEN|SECRET|PASSWORD", name) and len(value) >= 8:
            text = text.replace(value, "***")
    return text
