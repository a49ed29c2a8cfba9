"""Every exchange with a chat model as one JSON line, and a chat that answers from such a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from agentad.errors import InputError
from agentad.flow import Noun
from agentad.llm.closed import complaints
from agentad.llm.structured import Chat, Message, Reply, read
from agentad.store.documents import LARGEST_JSON, read_text


class Exchange(Noun):
    """What was said to a model, and what came back."""

    model: str
    """Id of the model, without passwords."""
    attempt: int
    """From 1."""
    messages: tuple[Message, ...]
    reply: str | None = None
    error: str | None = None
    """What the model's library raised instead of a reply."""


class Recorded:
    """`chat`, with each exchange written to the file `path` as soon as it has happened.

    The first exchange replaces what an earlier conversation left there.

    Raises:
        InputError: the folder of `path` does not exist.
    """

    def __init__(self, chat: Chat, path: Path) -> None:
        if not path.parent.is_dir():
            raise InputError(f"{path}: its folder does not exist; make it, or record the exchanges elsewhere")
        self.name = chat.name
        self._chat = chat
        self._path = path
        self._attempts = 0

    def ask(self, schema: dict[str, Any], messages: Sequence[Message]) -> Reply:
        """What `chat` replies."""
        self._attempts += 1
        reply = self._chat.ask(schema, messages)
        line = Exchange(
            model=self.name,
            attempt=self._attempts,
            messages=tuple(messages),
            reply=reply.text if reply.error is None else None,
            error=reply.error,
        )
        with self._path.open("w" if self._attempts == 1 else "a", encoding="utf-8") as file:
            file.write(line.model_dump_json() + "\n")
        return reply


class Replay:
    """A chat that gives the replies recorded in the file `path` to the same messages, and refuses others.

    Raises:
        InputError: there is no such file, or it is not a record of exchanges.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._exchanges = read_exchanges(path)
        self._next = 0
        self.name = self._exchanges[0].model

    def ask(self, schema: dict[str, Any], messages: Sequence[Message]) -> Reply:
        """The recorded reply.

        Raises:
            InputError: the messages differ by more than white space from those recorded, or the record has ended.
        """
        if self._next == len(self._exchanges):
            raise InputError(f"{self._path}: holds {self._next} exchanges and one more is asked for; {_WAY_OUT}")
        exchange = self._exchanges[self._next]
        self._next += 1
        difference = _difference(exchange.messages, messages)
        if difference:
            raise InputError(
                f"{self._path}, line {self._next}: recorded for another request or other data: {difference}"
            )
        return read(exchange.reply) if exchange.reply is not None else Reply(error=exchange.error)


_WAY_OUT = "it was recorded for another version of the prompts, plan again with the model itself"


def read_exchanges(path: Path) -> list[Exchange]:
    """The exchanges in the file `path`, at least one.

    Raises:
        InputError: the file is missing, empty or damaged; the message names the line.
    """
    try:
        lines = read_text(path, LARGEST_JSON).strip("\n").split("\n")
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as recorded exchanges: {error}") from error
    if lines == [""]:
        raise InputError(f"{path}: holds no exchange; a plan made by rules records none, use --planner rules")
    return [_exchange(line, f"{path}, line {number}") for number, line in enumerate(lines, 1)]


def _exchange(line: str, where: str) -> Exchange:
    try:
        return Exchange.model_validate_json(line)
    except ValidationError as error:
        raise InputError(f"{where}: not a recorded exchange: {complaints(error)}") from error


def _difference(recorded: Sequence[Message], now: Sequence[Message]) -> str | None:
    if [message.role for message in recorded] != [message.role for message in now]:
        return f"{len(recorded)} messages then, {len(now)} now"
    for old, new in zip(recorded, now, strict=True):
        words = list(zip([*old.text.split(), ""], [*new.text.split(), ""], strict=False))
        other = next((pair for pair in words if pair[0] != pair[1]), None)
        if other:
            return f"the {old.role} message said {other[0]!r:.60} where it now says {other[1]!r:.60}"
        if old.pictures != new.pictures:
            return f"the {old.role} message showed other pictures"
    return None
