"""Prompts are Markdown files in `prompts/`; a variable is `$name`, and one without a value is an error by name."""

from __future__ import annotations

import json
import string
from typing import Any

from agentad import assets
from agentad.errors import InputError


def render(prompt: str, /, **values: str) -> str:
    """The file `prompt` (for example `planner/system.md`) with its variables replaced.

    Raises:
        InputError: the file is missing, or names a variable that has no value here.
    """
    path = assets.find("prompts", prompt)
    try:
        return string.Template(path.read_text(encoding="utf-8")).substitute(values).strip()
    except KeyError as error:
        known = ", ".join(f"${value}" for value in sorted(values))
        raise InputError(f"{path}: no value for ${error.args[0]}; this prompt may use {known}") from error
    except ValueError as error:
        raise InputError(f"{path}: {error}; write $$ for a dollar sign") from error


def quote(document: Any) -> str:
    """`document` as JSON in which no text can close a `<block>`, start a line or hide characters.

    File names, column names and cells come from strangers. ASCII only, with angle brackets escaped, they stay
    string literals whatever they hold.
    """
    text = json.dumps(document, ensure_ascii=True, allow_nan=False, indent=1)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
