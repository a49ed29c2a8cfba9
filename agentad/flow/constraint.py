"""Conditions on the columns of rows that are to be invented: typed values, never code."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from agentad.flow.base import Noun
from agentad.flow.step import Value


class Limit(Noun):
    """A number, or the hour of a moment, between two bounds. With `low` above `high` it wraps: 22 to 5 is night."""

    kind: Literal["limit"] = "limit"
    column: str
    low: float | None = None
    high: float | None = None
    exclusive: bool = False
    """Whether the bounds themselves are excluded."""
    of: Literal["value", "hour"] = "value"
    """What is bounded: the number itself, or the hour (0 to 24) of a moment."""


class Beyond(Noun):
    """A number above, or below, a quantile of the real rows' column."""

    kind: Literal["beyond"] = "beyond"
    column: str
    side: Literal["above", "below"]
    quantile: float = Field(ge=0, le=1)


class Fixed(Noun):
    """One value."""

    kind: Literal["fixed"] = "fixed"
    column: str
    value: Value


class OneOf(Noun):
    """Any of several values."""

    kind: Literal["one-of"] = "one-of"
    column: str
    values: tuple[Value, ...] = Field(min_length=1)


class Derived(Noun):
    """A column computed from others, such as `price * (1 + rate) - discount`."""

    kind: Literal["derived"] = "derived"
    column: str
    expression: str
    """Numbers, columns, + - * / and brackets: `agentad.modalities.table.expression`."""


Constraint = Annotated[Limit | Beyond | Fixed | OneOf | Derived, Field(discriminator="kind")]
