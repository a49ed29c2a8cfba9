"""What the page shows besides the report itself. Everything arrives computed and drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentad import flow

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Outline:
    """A polygon that the page draws over a picture."""

    points: tuple[tuple[float, float], ...]
    """(x, y) of its corners as shares of the picture's width and height, 0 to 1."""
    doubtful: bool = False
    """Whether the detector's parts disagree about it: drawn dashed."""

    @property
    def path(self) -> str:
        """The points in thousandths, as SVG has them."""
        return " ".join(f"{round(1000 * x)},{round(1000 * y)}" for x, y in self.points)


@dataclass(frozen=True)
class Picture:
    """One small picture, embedded as it is. About 320 pixels wide reads well and stays light."""

    data: bytes
    """PNG, JPEG or WebP."""
    alt: str
    """What a reader who cannot see it needs to know."""
    caption: str = ""
    outlines: tuple[Outline, ...] = ()


@dataclass(frozen=True)
class Exhibits:
    """Pictures, rows and labels by item id. Only the items of `pick` are shown, so only those need panels and rows."""

    held_out: Floats | None = None
    """(n,) held-out scores of the training items, higher = more anomalous."""
    labels: Mapping[str, int] = field(default_factory=dict)
    """0 normal, 1 anomalous; -1 or absent where unknown."""
    kinds: Mapping[str, str] = field(default_factory=dict)
    """Anomaly type of each anomalous item."""
    panels: Mapping[str, tuple[Picture, ...]] = field(default_factory=dict)
    """Per image, left to right: original, heat map with outlined regions, what is true, nearest normal patches."""
    tiles: Mapping[str, Picture] = field(default_factory=dict)
    """Per image, a small one for the contact sheets."""
    sizes: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """(width, height) of each shown image in pixels, so that a region's place can be said in words."""
    rows: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Per table row: values as text by column, for the cells that did not drive the score."""
    samples: tuple[Picture, ...] = ()
    """A few pictures of the data as it came."""


@dataclass(frozen=True)
class Invented:
    """One invented item."""

    origin: flow.SyntheticImage | flow.SyntheticRow
    pictures: tuple[Picture, ...] = ()
    """Of an image: as it is, and with its mask outlined."""
    cells: Mapping[str, str] = field(default_factory=dict)
    """Of a row: values as text by column."""


@dataclass(frozen=True)
class RoundExhibits:
    """What the page of a round shows besides the round itself. Only what is in here is shown."""

    invented: tuple[Invented, ...] = ()
    """Some of those that passed."""
    of: int = 0
    """How many passed in their set."""
    sets: int = 0
    """How many sets were made for the round."""
    folded: bool = False
    """Whether theirs is the set of a part of the real items, none having been made from all."""
    tiles: Mapping[str, Picture] = field(default_factory=dict)
    """By the id of a real image that a spot names."""
    rows: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """By the id of a real row that a spot names: values as text by column."""
