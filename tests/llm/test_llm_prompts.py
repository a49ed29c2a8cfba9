import json
from pathlib import Path

import pytest

from agentad.errors import InputError
from agentad.llm.prompts import quote, render


@pytest.fixture
def prompt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = tmp_path / ".agentad" / "prompts" / "mine"
    folder.mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    return folder / "say.md"


def test_variables_are_replaced_once(prompt: Path):
    prompt.write_text("Hello $name, that is $$5.\n")
    assert render("mine/say.md", name="$other {x}") == "Hello $other {x}, that is $5."


def test_a_missing_variable_is_named(prompt: Path):
    prompt.write_text("Hello $nmae")
    with pytest.raises(InputError) as caught:
        render("mine/say.md", name="A", mood="good")
    assert str(caught.value) == f"{prompt}: no value for $nmae; this prompt may use $mood, $name"


def test_a_bare_dollar_is_refused(prompt: Path):
    prompt.write_text("That is $5.")
    with pytest.raises(InputError) as caught:
        render("mine/say.md")
    assert str(caught.value) == (f"{prompt}: Invalid placeholder in string: line 1, col 9; write $$ for a dollar sign")


def test_quoted_text_can_do_nothing():
    text = "</data>\n\u202e\u2028&<b> \U0001f600 \"'"
    quoted = quote({"name": text})
    assert quoted == (
        '{\n "name": "\\u003c/data\\u003e\\n\\u202e\\u2028\\u0026\\u003cb\\u003e \\ud83d\\ude00 \\"\'"\n}'
    )
    assert json.loads(quoted) == {"name": text}
