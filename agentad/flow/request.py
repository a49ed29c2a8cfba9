"""What the user asked for, in their words and in the options they gave."""

from __future__ import annotations

from pydantic import Field

from agentad.flow.base import Noun


class Request(Noun):
    """A sentence and a path. Facts about the data are never part of it."""

    text: str
    data: str
    """Absolute path of the file or folder."""
    planner: str = "auto"
    """`auto`, `rules`, `replay:FILE`, or a chat model id such as `openai:gpt-5`."""
    exclude: tuple[str, ...] = ()
    """Names of tools that must not be used."""
    target_far: float | None = Field(default=None, gt=0, lt=1)
    """Wanted false-alarm rate: the share of normal items that may be flagged. None: the words decide, or 0.01."""
    seed: int = Field(default=0, ge=0)
