import json
from pathlib import Path

import pytest

from agentad.errors import InputError
from agentad.llm.exchanges import Exchange, Recorded, Replay, read_exchanges
from agentad.llm.structured import Message, Reply

ASKED = (Message(role="system", text="Be brief."), Message(role="human", text="Which one,\n a or\u2028b?"))
SCHEMA: dict = {}


class Answers:
    """A chat that gives `replies` in order."""

    name = "openai:test"

    def __init__(self, *replies: Reply) -> None:
        self.replies = list(replies)

    def ask(self, schema, messages) -> Reply:
        return self.replies.pop(0)


REPLIES = (Reply('{"x": "a\u2028"}', {"x": "a\u2028"}), Reply("half"), Reply(error="TimeoutError: late"))


def recorded(path: Path, *replies: Reply) -> list[Reply]:
    chat = Recorded(Answers(*replies), path)
    return [chat.ask(SCHEMA, ASKED) for _ in replies]


def test_every_exchange_is_one_line(tmp_path: Path):
    path = tmp_path / "exchanges.jsonl"
    assert recorded(path, *REPLIES) == list(REPLIES)
    assert read_exchanges(path) == [
        Exchange(model="openai:test", attempt=1, messages=ASKED, reply='{"x": "a\u2028"}'),
        Exchange(model="openai:test", attempt=2, messages=ASKED, reply="half"),
        Exchange(model="openai:test", attempt=3, messages=ASKED, error="TimeoutError: late"),
    ]
    assert [json.loads(line)["attempt"] for line in path.read_text(encoding="utf-8").strip().split("\n")] == [1, 2, 3]


def test_a_new_conversation_replaces_the_old_record(tmp_path: Path):
    path = tmp_path / "exchanges.jsonl"
    recorded(path, *REPLIES)
    recorded(path, Reply("{}", {}))
    assert [exchange.reply for exchange in read_exchanges(path)] == ["{}"]


def test_a_replay_gives_the_recorded_replies(tmp_path: Path):
    path = tmp_path / "exchanges.jsonl"
    recorded(path, *REPLIES)
    chat = Replay(path)
    respaced = [ASKED[0], Message(role="human", text=" Which one, a or\nb?  ")]
    assert chat.name == "openai:test"
    assert [chat.ask(SCHEMA, messages) for messages in (ASKED, respaced, ASKED)] == list(REPLIES)
    with pytest.raises(InputError) as caught:
        chat.ask(SCHEMA, ASKED)
    assert str(caught.value) == (
        f"{path}: holds 3 exchanges and one more is asked for; it was recorded for another version of the "
        "prompts, plan "
        "again with the model itself"
    )


@pytest.mark.parametrize(
    ("messages", "difference"),
    [
        (ASKED[:1], "2 messages then, 1 now"),
        (
            (ASKED[0], Message(role="human", text="Which one, a or c?")),
            "the human message said 'b?' where it now says 'c?'",
        ),
        (
            (ASKED[0], Message(role="human", text="Which one, a or b? Now!")),
            "the human message said '' where it now says 'Now!'",
        ),
        (
            (Message(role="system", text="Be"), ASKED[1]),
            "the system message said 'brief.' where it now says ''",
        ),
        (
            (ASKED[0], Message(role="human", text=ASKED[1].text, pictures=("QUJD",))),
            "the human message showed other pictures",
        ),
    ],
)
def test_other_messages_are_refused(tmp_path: Path, messages, difference: str):
    path = tmp_path / "exchanges.jsonl"
    recorded(path, *REPLIES)
    with pytest.raises(InputError) as caught:
        Replay(path).ask(SCHEMA, messages)
    assert str(caught.value) == f"{path}, line 1: recorded for another request or other data: {difference}"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", ": holds no exchange; a plan made by rules records none, use --planner rules"),
        (
            b"\xff",
            ": cannot be read as recorded exchanges: 'utf-8' codec can't decode byte 0xff in position 0: invalid "
            "start byte",
        ),
        (b'{"model": "m", "attempt": 1}', ", line 1: not a recorded exchange: messages: Field required"),
        (
            b'{"model": "m", "attempt": 1, "messages": [], "key": "x"}',
            ", line 1: not a recorded exchange: key: not a known key",
        ),
    ],
)
def test_a_damaged_record_is_refused_by_line(tmp_path: Path, content: bytes, complaint: str):
    path = tmp_path / "exchanges.jsonl"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        Replay(path)
    assert str(caught.value) == f"{path}{complaint}"


def test_a_missing_record_is_named(tmp_path: Path):
    with pytest.raises(InputError, match=r"none\.jsonl: cannot be read as recorded exchanges: .* No such file"):
        Replay(tmp_path / "none.jsonl")


def test_a_missing_folder_is_named_before_anybody_is_asked(tmp_path: Path):
    path = tmp_path / "none" / "exchanges.jsonl"
    with pytest.raises(InputError) as caught:
        Recorded(Answers(), path)
    assert str(caught.value) == f"{path}: its folder does not exist; make it, or record the exchanges elsewhere"
