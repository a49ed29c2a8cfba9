"""The templates of the pages, and what they may do to a value."""

from __future__ import annotations

from base64 import b64encode
from functools import cache
from importlib.resources import files

from jinja2 import Environment, FunctionLoader, StrictUndefined, Template

from agentad.report import text, words
from agentad.report.exhibits import Picture

SIGNATURES = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg", b"RIFF": "image/webp"}


def template(name: str) -> Template:
    """The template in the file `name` of this room; every value is escaped."""
    return _environment().get_template(name)


@cache
def _environment() -> Environment:
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=FunctionLoader(lambda name: files("agentad.report").joinpath(name).read_text("utf-8")),
    )
    environment.filters |= {
        "clean": text.clean,
        "number": text.number,
        "figure": text.figure,
        "percent": text.percent,
        "whole": text.whole,
        "chance": text.chance,
        "measure": text.measure,
        "count": text.count,
        "tied": text.tied,
        "src": _source,
        "region": words.region,
        "verdict": words.verdict,
    }
    return environment


def _source(picture: Picture) -> str:
    for signature, mime in SIGNATURES.items():
        if picture.data.startswith(signature):
            return f"data:{mime};base64,{b64encode(picture.data).decode('ascii')}"
    raise ValueError(f"the picture {picture.alt!r} is neither PNG, JPEG nor WebP")
