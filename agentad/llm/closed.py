"""Reading a document into a noun, with complaints a person or a model can act on."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from agentad.errors import InputError

T = TypeVar("T", bound=BaseModel)


def complaints(error: ValidationError) -> str:
    """What is wrong with a document, one clause a field: `detector.tool: Field required; extra: not a known key`."""
    return "; ".join(_complaint(dict(one)) for one in error.errors(include_url=False, include_context=False))


def _complaint(one: dict[str, Any]) -> str:
    where = ".".join(str(part) for part in one["loc"]) or "the document"
    if one["type"] == "extra_forbidden":
        return f"{where}: not a known key"
    return f"{where}: {one['msg']}" + ("" if one["type"] == "missing" else f", got {one['input']!r:.80}")


def closed(noun: type[T], document: Any, where: str) -> T:
    """`document` as a `noun`; unknown keys are refused.

    Raises:
        InputError: it is not one; the message starts with `where`, the file it came from.
    """
    try:
        return noun.model_validate(document)
    except ValidationError as error:
        raise InputError(f"{where}: {complaints(error)}") from error
