"""What is in the data, found by looking at it."""

from __future__ import annotations

from typing import Literal

from agentad.flow.base import Noun

Modality = Literal["table", "image"]
ColumnKind = Literal[
    "numeric", "integer", "boolean", "categorical", "datetime", "text", "identifier", "constant", "empty", "label"
]


class Skipped(Noun):
    """Something in the folder that could not be used."""

    path: str
    reason: str


class Column(Noun):
    """One column of a table as it was found."""

    name: str
    kind: ColumnKind
    missing: float
    """Share of rows without a value, 0 to 1."""
    distinct: int
    """Distinct values seen (capped; a lower bound on long tables)."""
    low: float | None = None
    high: float | None = None
    mean: float | None = None
    examples: tuple[str, ...] = ()
    """A few values as text. Data, never instructions."""
    same_as: str | None = None
    """Another column, the label included, with the same cell in every row: this one adds nothing to it."""


class TableFacts(Noun):
    """Facts only tables have."""

    rows: int
    columns: tuple[Column, ...]
    label_column: str | None = None
    delimiter: str | None = None
    encoding: str | None = None


class ImageFacts(Noun):
    """Facts only images have. Sizes are (width, height) in pixels."""

    smallest: tuple[int, int]
    largest: tuple[int, int]
    modes: dict[str, int]
    """How many images of each pixel layout, for example `{"RGB": 320}`."""
    formats: dict[str, int]
    masks: int
    """Test images that come with a ground-truth mask, or with boxes."""
    pairs: int = 0
    """Images that come with a template to be compared with; templates are no items."""


class DataProfile(Noun):
    """What the planner knows about the data."""

    modality: Modality
    root: str
    layout: str
    """`mvtec`, `normal-and-anomalous`, `pairs`, `plain`, `csv`, `parquet` or `npz`."""
    fingerprint: str
    """SHA-256 over names, sizes and contents or modification times of what was read."""
    items: int
    normal: int
    anomalous: int
    unlabelled: int
    given_normal: int = 0
    """Normal items that the layout gives to learn from; 0 where it does not say."""
    given_anomalous: int = 0
    """Anomalous items that the layout gives to learn from."""
    types: dict[str, int] = {}
    """Anomalous items per type."""
    groups: int
    """Items that may not be parted (near-duplicates, shared sources) count once."""
    table: TableFacts | None = None
    image: ImageFacts | None = None
    skipped: tuple[Skipped, ...] = ()
    """The first of them; `n_skipped` counts all."""
    n_skipped: int = 0
    notes: tuple[str, ...] = ()
