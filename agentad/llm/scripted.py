"""A chat model that says what it was told to: for tests, and for trying out a prompt without a model."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import Field

from agentad.errors import InputError


@dataclass(frozen=True)
class Delayed:
    """A reply that takes `seconds` to come."""

    seconds: float
    reply: str | dict[str, Any]


class ScriptedChat(BaseChatModel):
    """Gives `replies` in order.

    Text is answered as text; a dictionary as a call of the tool that is bound, which is what `with_structured_output`
    asks for; an exception is raised; `Delayed` waits first. Asked more often than the script is long, it raises
    InputError.
    """

    replies: list[Any]
    """Of `str | dict | Exception | Delayed`."""
    heard: list[list[BaseMessage]] = Field(default_factory=list)
    """The messages of each call so far."""

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(
        self, tools: Sequence[Any], *, tool_choice: str | None = None, **kwargs: Any
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """This model, knowing the name of the first of `tools`."""
        return self.bind(tool=convert_to_openai_tool(tools[0])["function"]["name"])

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        turn = len(self.heard)
        if turn >= len(self.replies):
            raise InputError(
                f"scripted model: asked {turn + 1} times, and the script holds {len(self.replies)} replies"
            )
        self.heard.append(messages)
        reply = self.replies[turn]
        if isinstance(reply, Delayed):
            time.sleep(reply.seconds)
            reply = reply.reply
        if isinstance(reply, Exception):
            raise reply
        return ChatResult(generations=[ChatGeneration(message=_message(reply, kwargs.get("tool", "answer")))])


def _message(reply: str | dict[str, Any], tool: str) -> AIMessage:
    if isinstance(reply, str):
        return AIMessage(content=reply)
    return AIMessage(content="", tool_calls=[{"name": tool, "args": reply, "id": "call-1"}])
