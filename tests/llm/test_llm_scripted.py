import pytest
from langchain_core.messages import HumanMessage

from agentad.errors import InputError
from agentad.llm.scripted import Delayed, ScriptedChat

SCHEMA = {
    "title": "answer",
    "description": "An answer.",
    "type": "object",
    "properties": {"x": {"type": "integer"}},
    "required": ["x"],
}


def test_replies_come_in_order_and_are_heard():
    model = ScriptedChat(replies=["one", Delayed(0, "two")])
    assert [model.invoke(text).text for text in ("a", "b")] == ["one", "two"]
    assert model.heard == [[HumanMessage("a")], [HumanMessage("b")]]


def test_a_dictionary_answers_structured_output():
    asking = ScriptedChat(replies=[{"x": 1}, {"x": 2}]).with_structured_output(SCHEMA, include_raw=True)
    answer = asking.invoke("a")
    assert (answer["parsed"], answer["parsing_error"]) == ({"x": 1}, None)
    assert [(call["name"], call["args"]) for call in answer["raw"].tool_calls] == [("answer", {"x": 1})]


def test_an_exception_is_raised():
    with pytest.raises(ConnectionError, match=r"^down$"):
        ScriptedChat(replies=[ConnectionError("down")]).invoke("a")


def test_the_end_of_the_script_is_an_error():
    with pytest.raises(InputError) as caught:
        ScriptedChat(replies=[]).invoke("a")
    assert str(caught.value) == "scripted model: asked 1 times, and the script holds 0 replies"
