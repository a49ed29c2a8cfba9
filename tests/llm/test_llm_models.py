import subprocess
import sys

import pytest

from agentad.errors import InputError, MissingExtra
from agentad.llm.models import RETRIES, TIMEOUT, chat_model, public_name


@pytest.fixture
def without_integrations(monkeypatch: pytest.MonkeyPatch):
    """A machine without any provider's package."""
    from langchain.chat_models import base

    def forget() -> None:
        getattr(base._get_chat_model_creator, "cache_clear", lambda: None)()

    for package in ("langchain_openai", "langchain_anthropic", "langchain_ollama", "langchain_mistralai"):
        monkeypatch.setitem(sys.modules, package, None)
    forget()
    yield
    forget()


@pytest.mark.parametrize(
    ("name", "way_out"),
    [
        ("openai:gpt-5", "a package is missing; install it with `pip install 'agentad[openai]'`"),
        ("anthropic:claude", "a package is missing; install it with `pip install 'agentad[anthropic]'`"),
        ("ollama:qwen3", "a package is missing; install it with `pip install 'agentad[ollama]'`"),
        ("http://localhost:8080/v1", "a package is missing; install it with `pip install 'agentad[openai]'`"),
        (
            "mistralai:small",
            "Initializing ChatMistralAI requires the langchain-mistralai package. Please install it with "
            "`pip install langchain-mistralai`",
        ),
    ],
)
def test_a_missing_package_is_named_with_the_command(without_integrations, name: str, way_out: str):
    with pytest.raises(MissingExtra) as caught:
        chat_model(name)
    assert str(caught.value) == f"{name}: {way_out}"


@pytest.mark.parametrize("name", ["gpt-5", "openai:", ":gpt-5", ""])
def test_what_is_not_an_id_is_refused(name: str):
    with pytest.raises(InputError) as caught:
        chat_model(name)
    assert str(caught.value) == (
        f"{name!r} is not a chat model; give provider:model, such as openai:gpt-5, or a URL ending in /v1"
    )


def test_an_unknown_provider_is_refused():
    with pytest.raises(
        InputError, match=r"^nobody:x: this chat model cannot be set up: Unable to infer model provider"
    ):
        chat_model("nobody:x")


def test_a_provider_gets_limits(monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("langchain_openai", reason="langchain-openai is not installed")
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    model = chat_model("openai:gpt-5")
    assert (model.model_name, model.request_timeout, model.max_retries) == ("gpt-5", TIMEOUT, RETRIES)


def test_a_missing_key_is_said_at_once(monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("langchain_openai", reason="langchain-openai is not installed")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(InputError, match=r"^openai:gpt-5: this chat model cannot be set up: .*OPENAI_API_KEY"):
        chat_model("openai:gpt-5")


@pytest.mark.parametrize(("name", "served"), [("#qwen3:4b", "qwen3:4b"), ("", "default")])
def test_a_server_gets_limits_and_no_other_key(monkeypatch: pytest.MonkeyPatch, name: str, served: str):
    pytest.importorskip("langchain_openai", reason="langchain-openai is not installed")
    monkeypatch.setenv("OPENAI_API_KEY", "someone-else")
    monkeypatch.delenv("AGENTAD_API_KEY", raising=False)
    model = chat_model(f"http://localhost:8080/v1{name}")
    assert (model.model_name, model.request_timeout, model.max_retries) == (served, TIMEOUT, RETRIES)
    assert (model.openai_api_base, model.openai_api_key.get_secret_value()) == ("http://localhost:8080/v1", "none")
    monkeypatch.setenv("AGENTAD_API_KEY", "own")
    assert chat_model(f"http://localhost:8080/v1{name}").openai_api_key.get_secret_value() == "own"


@pytest.mark.parametrize(
    ("name", "public"),
    [
        ("openai:gpt-5", "openai:gpt-5"),
        ("http://me:secret@host:8080/v1?key=abc#qwen", "http://host:8080/v1#qwen"),
        ("https://host/v1", "https://host/v1"),
    ],
)
def test_names_are_written_down_without_secrets(name: str, public: str):
    assert public_name(name) == public


@pytest.mark.parametrize("module", ["agentad", "agentad.planning", "agentad.llm.exchanges", "agentad.tools.cards"])
def test_langchain_and_torch_load_on_use_only(module: str):
    code = f"import sys, {module}; print([m for m in ('langchain', 'langchain_core', 'torch') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
