"""Why an item has its score: facts that an explanation may cite, and nothing else."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from agentad.flow.base import Noun


class ColumnEvidence(Noun):
    """One column's part in a row's score."""

    kind: Literal["column"] = "column"
    column: str
    actual: str
    """The value in the row, as text."""
    expected: str
    """What the normal data around the row suggests, as text."""
    share: float
    """Part of the row's oddness due to this column, 0 to 1."""
    low: str | None = None
    """Lower end of the 90 % interval that the row's other columns suggest for a number, as text."""
    high: str | None = None
    """Upper end."""
    partner: str | None = None
    """The column beside which this one's value is odd, though each value is ordinary without the other."""


class RegionEvidence(Noun):
    """One connected region of an image whose local scores stand out."""

    kind: Literal["region"] = "region"
    box: tuple[int, int, int, int]
    """left, top, right, bottom in pixels of the original image, right and bottom exclusive."""
    polygon: tuple[tuple[float, float], ...] = ()
    """(x, y) of the corners of the outer border, in order, the last joined to the first, in pixels of the original
    image: the pixel in column x covers x to x + 1, as in `box`. Empty only in scores of before there were polygons."""
    area: int
    """Pixels of the original image."""
    peak: float
    """Highest local score inside."""
    peak_at: tuple[int, int]
    """x, y of the peak in pixels of the original image."""
    p_value: float | None = None
    """Share of normal images whose highest local score is at least `peak`: (1 + k) / (n + 1) for k of n held-out
    training images. It is per image and holds for the image's highest region; for the others it errs towards normal.
    None from detectors saved without what it is read from."""
    doubt: float | None = None
    """Disagreement of the detector's parts at the peak, 0 to 1; None where it has only one part."""
    neighbour: str | None = None
    """Training item that holds the normal patch nearest to the peak."""
    neighbour_cell: tuple[float, float, float, float] | None = None
    """left, top, width, height of that patch, as shares of its image's width and height."""


class CategoryEvidence(Noun):
    """Which of several categories an item was judged as, by a detector that was told of them."""

    kind: Literal["category"] = "category"
    category: str
    inferred: bool
    """Whether no folder said so, and it is the category whose normals are nearest."""


Evidence = Annotated[ColumnEvidence | RegionEvidence | CategoryEvidence, Field(discriminator="kind")]


class ScoredItem(Noun):
    """One line of `scores.jsonl`."""

    id: str
    score: float
    """Higher = more anomalous."""
    p_value: float
    """Chance that a normal item scores at least this high."""
    flag: bool
    borderline: bool = False
    """Whether the score lies so near the threshold that another sample of normal items might have turned `flag`."""
    evidence: tuple[Evidence, ...] = ()
    map: str | None = None
    """Local scores at the image's own resolution: a float32 TIFF, path relative to `scores.jsonl`. Images only."""
