"""Conditions on images that are to be invented, from texts such as `shape=scratch` and `size=0.01..0.05`.

=========================  ==================================================================================
`type=bent_lead`           a type of real defect; a shape's name where no real type is called so
`shape=scratch`            the outline is drawn: scratch, hole, stain, crack, missing
`size=0.01..0.05`          share of the image, or one number
`place=edge`               object, centre, edge, anywhere
`strength=0.5..1.5`        contrast, 1 = that of the real defect, or one number
`text=a dent`              for generators that read
=========================  ==================================================================================
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, get_args

from pydantic import ValidationError

from agentad.errors import InputError
from agentad.flow import Brief
from agentad.flow.brief import Place, Shape
from agentad.llm.closed import complaints
from agentad.modalities.shown import shown

SHAPES: tuple[str, ...] = get_args(Shape)
PLACES: tuple[str, ...] = get_args(Place)
NAMES = ("type", "shape", "size", "place", "strength", "text")
_NUMBER = r"\d+(?:\.\d*)?|\.\d+"
_RANGE = re.compile(rf"({_NUMBER})(?:\.\.({_NUMBER}))?")
_AROUND = 1.25
"""A size given as one number is met up to this factor: no outline has exactly so many pixels."""


def brief_from_words(texts: Sequence[str], kinds: Sequence[str]) -> Brief:
    """What the conditions ask of one image.

    Args:
        texts: each `NAME=VALUE`, no name twice.
        kinds: types of the real defects that can be learned from.

    Raises:
        InputError: an unknown name, type, shape or place, or a range that is none; names those there are.
    """
    found: dict[str, Any] = {}
    for text in texts:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not equals or name not in NAMES:
            raise InputError(f"condition {shown(text, 80)!r} is not understood; for images give {', '.join(NAMES)} = …")
        if name in found:
            raise InputError(f"condition {shown(text, 80)!r}: {name} is given twice; give it once")
        found[name] = _value(name, value, text, kinds)
    kind = found.pop("type", None)
    if kind is not None and kind not in kinds:
        if found.setdefault("shape", kind) != kind:
            raise InputError(f"type={kind} is a shape, and shape={found['shape']} is another; give one of them")
        kind = None
    try:
        return Brief(kind=kind, **found)
    except ValidationError as error:
        raise InputError(f"conditions {', '.join(shown(text, 80) for text in texts)}: {complaints(error)}") from error


def _value(name: str, value: str, text: str, kinds: Sequence[str]) -> Any:
    if name == "type" and value not in (*kinds, *SHAPES):
        there = (
            f"the real types are {', '.join(shown(kind, 40) for kind in kinds)}" if kinds else "no real type is known"
        )
        raise InputError(
            f"condition {shown(text, 80)!r}: {there}, and shapes that can be drawn are {', '.join(SHAPES)}"
        )
    if name == "shape" and value not in SHAPES:
        raise InputError(f"condition {shown(text, 80)!r}: the shapes are {', '.join(SHAPES)}")
    if name == "place" and value not in PLACES:
        raise InputError(f"condition {shown(text, 80)!r}: the places are {', '.join(PLACES)}")
    if name not in ("size", "strength"):
        return value
    match = _RANGE.fullmatch(value)
    if match is None:
        raise InputError(f"condition {shown(text, 80)!r}: give a number, or two as {name}=0.01..0.05")
    low, high = float(match[1]), float(match[2] or match[1])
    if name == "size" and match[2] is None:
        return low / _AROUND, min(high * _AROUND, 1.0)
    return low, high
