"""What one invented anomaly of an image has to be."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from agentad.flow.base import Noun

Shape = Literal["scratch", "hole", "stain", "crack", "missing"]
Place = Literal["object", "centre", "edge", "anywhere"]


class Brief(Noun):
    """Conditions on one image; None leaves the choice to the generator."""

    kind: str | None = None
    """The type of real defect it is to be like."""
    shape: Shape | None = None
    """A mask drawn as this, instead of one taken from a real defect."""
    size: tuple[float, float] | None = None
    """Least and greatest share of the image's pixels that the anomaly covers."""
    place: Place | None = None
    """Where its middle lies; None: where its type occurs, else on the object."""
    strength: tuple[float, float] = (1.0, 1.0)
    """Least and greatest contrast, drawn from evenly; 1 is that of the real defect it is made from."""
    text: str | None = Field(default=None, max_length=500)
    """What it shows, for generators that read."""

    @field_validator("size", "strength")
    @classmethod
    def _a_range(cls, value: tuple[float, float] | None) -> tuple[float, float] | None:
        if value is not None and not 0 < value[0] <= value[1]:
            raise ValueError("give two numbers above 0, the lower one first")
        return value

    @field_validator("size")
    @classmethod
    def _a_share(cls, value: tuple[float, float] | None) -> tuple[float, float] | None:
        if value is not None and value[1] > 1:
            raise ValueError("a share of the image is at most 1")
        return value
