import pytest

from agentad.errors import InputError
from agentad.llm.scripted import Delayed, ScriptedChat
from agentad.llm.structured import MAX_REPLY, Message, ModelChat, Reply, read, without_secrets

SCHEMA = {"title": "answer", "description": "An answer.", "type": "object", "properties": {"x": {"type": "integer"}}}
MESSAGES = [Message(role="system", text="Be brief."), Message(role="human", text="x?"), Message(role="ai", text="1")]


def ask(reply: object, deadline: float = 60) -> Reply:
    return ModelChat(ScriptedChat(replies=[reply]), "scripted", deadline=deadline).ask(SCHEMA, MESSAGES)


@pytest.mark.parametrize(
    ("reply", "text", "document"),
    [
        ({"x": 1}, '{"x": 1}', {"x": 1}),
        ('{"x": 1}', '{"x": 1}', {"x": 1}),
        ('```json\n{"x": 1}\n```', '```json\n{"x": 1}\n```', {"x": 1}),
        ('Here: {"x": 1}', 'Here: {"x": 1}', None),
        ("[1]", "[1]", None),
        ("{", "{", None),
        ("word " * 100_000, ("word " * 100_000)[:MAX_REPLY], None),
    ],
)
def test_a_document_is_read_from_tool_call_or_text(reply, text, document):
    assert ask(reply) == Reply(text, document)


def test_messages_keep_their_roles():
    model = ScriptedChat(replies=["1"])
    ModelChat(model, "scripted").ask(SCHEMA, MESSAGES)
    assert [(message.type, message.content) for message in model.heard[0]] == [(m.role, m.text) for m in MESSAGES]


@pytest.mark.parametrize(
    ("reply", "deadline", "error"),
    [
        (ConnectionError("down"), 60, "ConnectionError: down"),
        (RuntimeError(), 60, "RuntimeError"),
        (Delayed(5, "{}"), 0.01, "TimeoutError: no answer within 0.01 s"),
    ],
)
def test_a_failure_is_a_reply(reply, deadline, error):
    assert ask(reply, deadline) == Reply(error=error)


def test_our_own_errors_pass_through():
    with pytest.raises(InputError, match=r"^scripted model: asked 1 times"):
        ModelChat(ScriptedChat(replies=[]), "scripted").ask(SCHEMA, MESSAGES)


def test_a_model_without_structured_output_fails_softly():
    class Plain(ScriptedChat):
        def with_structured_output(self, *args, **kwargs):
            raise NotImplementedError("with_structured_output is not implemented for this model.")

    reply = ModelChat(Plain(replies=["{}"]), "plain").ask(SCHEMA, MESSAGES)
    assert reply == Reply(error="NotImplementedError: with_structured_output is not implemented for this model.")


def test_deep_nesting_is_no_document():
    assert read("[" * 100_000) == Reply("[" * 100_000)


def test_secrets_are_starred_out(monkeypatch):
    monkeypatch.setenv("MODEL_API_KEY", "sk-0123456789")
    monkeypatch.setenv("DB_PASSWORD", "short")
    monkeypatch.setenv("HARMLESS", "0123456789")
    assert without_secrets("sk-0123456789 short 0123456789") == "*** short 0123456789"


def test_pictures_follow_the_text():
    model = ScriptedChat(replies=["1"])
    shown = Message(role="human", text="What is it?", pictures=("QUJD", "REVG"))
    ModelChat(model, "scripted").ask(SCHEMA, [MESSAGES[0], shown])
    assert model.heard[0][0].content == "Be brief."
    assert model.heard[0][1].content == [
        {"type": "text", "text": "What is it?"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,REVG"}},
    ]
