"""Chat models by id: LangChain's `provider:model`, or the URL of an OpenAI-compatible server."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any
from urllib.parse import urldefrag, urlsplit

from agentad.errors import InputError, MissingExtra

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

TIMEOUT = 45.0
"""Seconds a provider may take for one try."""
RETRIES = 1
"""Further tries after a lost connection or a busy server."""
_EXTRAS = ("anthropic", "ollama", "openai")


def chat_model(name: str) -> BaseChatModel:
    """The chat model called `name`.

    `openai:gpt-5`, `anthropic:claude-sonnet-4-5`, `ollama:qwen3` and so on are ids of LangChain's `init_chat_model`,
    keys come from each provider's own environment variable. `http://host:port/v1#model` is an OpenAI-compatible server;
    `#model` may be left out where the server holds one model. Such a server is sent the key in `AGENTAD_API_KEY`, if
    there is one, and never the key of another provider.

    Raises:
        MissingExtra: the provider's package is not installed.
        InputError: the id cannot be understood, or the model cannot be set up.
    """
    if name.startswith(("http://", "https://")):
        return _server(name)
    provider, colon, model = name.partition(":")
    if not (provider and colon and model):
        raise InputError(
            f"{name!r} is not a chat model; give provider:model, such as openai:gpt-5, or a URL ending in /v1"
        )
    return _provider(provider, name)


def public_name(name: str) -> str:
    """`name` without what a URL may hold of passwords and query strings; safe to write down."""
    if not name.startswith(("http://", "https://")):
        return name
    url = urlsplit(name)
    host = url.hostname or ""
    port = f":{url.port}" if url.port else ""
    return f"{url.scheme}://{host}{port}{url.path}" + (f"#{url.fragment}" if url.fragment else "")


def _provider(provider: str, name: str) -> BaseChatModel:
    from langchain.chat_models import init_chat_model

    # Ollama's client takes its time limit under another name and has no retries.
    limits: dict[str, Any] = {"timeout": TIMEOUT, "max_retries": RETRIES}
    if provider == "ollama":
        limits = {"client_kwargs": {"timeout": TIMEOUT}, "temperature": 0}
    try:
        model: BaseChatModel = init_chat_model(name, **limits)
        return model
    except ImportError as error:
        raise MissingExtra(f"{name}: {_way_out(provider, error)}") from error
    except Exception as error:  # each provider raises its own kinds, for example when its key is not set
        raise InputError(f"{name}: this chat model cannot be set up: {_flat(error)}") from error


def _way_out(provider: str, error: ImportError) -> str:
    if provider in _EXTRAS:
        return f"a package is missing; install it with `pip install 'agentad[{provider}]'`"
    return _flat(error)


def _flat(error: Exception) -> str:
    return " ".join(str(error).split())


def _server(name: str) -> BaseChatModel:
    url, model = urldefrag(name)
    try:
        from langchain_openai import ChatOpenAI
    except ImportError as error:
        raise MissingExtra(f"{public_name(name)}: {_way_out('openai', error)}") from error
    from pydantic import SecretStr

    key = SecretStr(os.environ.get("AGENTAD_API_KEY", "none"))
    chat: BaseChatModel = ChatOpenAI(
        model=model or "default", base_url=url, api_key=key, timeout=TIMEOUT, max_retries=RETRIES, temperature=0
    )
    return chat
