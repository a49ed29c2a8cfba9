"""What a modality must offer for the road from data to detector: one module each, `tables` and `images`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from agentad.detectors.base import Floats, Scores
from agentad.errors import UnreadableData
from agentad.flow import DataProfile, Evidence, Modality
from agentad.modalities.items import Items
from agentad.modalities.shown import shown

Indices = NDArray[np.integer[Any]]
Progress = Callable[[str, int, int], None]
"""(what is being done, done, total)"""


def silent(what: str, done: int, total: int) -> None:
    """Report nothing."""


@dataclass(frozen=True)
class Batch:
    """Some items, as read and as encoded."""

    index: Indices
    """(m,) sorted positions among the data's items."""
    raw: Any
    """What was read: a polars frame of m rows, or a list of m images (height, width, 3) uint8."""
    x: Floats
    """(m, d) or (m, h, w, c)"""


class Data(Protocol):
    """Opened data: looked at, not loaded."""

    @property
    def profile(self) -> DataProfile:
        """What is in it."""
        ...

    @property
    def items(self) -> Items:
        """What can be scored."""
        ...


class Road(Protocol):
    """A modality's part in fitting and scoring. Encoded items are (n, d) or (n, h, w, c)."""

    MODALITY: Modality
    FIT_ITEMS: int
    """Most items a detector is fitted on; a random sample of the training items beyond that."""

    def recognise(self, path: Path) -> bool:
        """Whether `path` looks like this modality, cheaply."""
        ...

    def look(self, path: Path) -> Any:
        """The data at `path`, looked through once."""
        ...

    def fit_encoder(self, encoder: Any, data: Any, index: Indices) -> Any:
        """The encoder, fitted on the items at `index` where it has to be."""
        ...

    def most(self, encoder: Any) -> int:
        """Most items whose encoded form fits into the memory meant for a fit."""
        ...

    def blank(self, encoder: Any) -> Floats:
        """One encoded item of zeros (1, …), for trying out a detector."""
        ...

    def batches(self, encoder: Any, data: Any, index: Indices) -> Iterator[Batch]:
        """The items at `index` (sorted), read and encoded in bounded memory."""
        ...

    def defects(self, data: Any, index: Indices, grid: tuple[int, ...]) -> NDArray[np.bool_] | None:
        """(n, h, w) bool: where the items at `index` are known to be anomalous, in cells; None: nowhere."""
        ...

    def learnable(self, data: Any) -> NDArray[np.bool_]:
        """(n,) which items, if anomalous, can be learned from: images only with a mask of what is wrong with them."""
        ...

    def copies(self, encoder: Any, data: Any, index: Indices, how: str) -> Floats | None:
        """(n, k, h, w, c): altered copies of the items at `index`, encoded; None: this modality makes none."""
        ...

    def save_encoder(self, encoder: Any, folder: Path) -> None:
        """Write the encoder, with weights if it has any, so that `load_encoder` needs nothing else."""
        ...

    def load_encoder(self, kind: type[Any], folder: Path) -> Any:
        """What `save_encoder` wrote."""
        ...

    def evidence(self, fitted: Any, data: Any, batch: Batch, scores: Scores) -> Sequence[tuple[Evidence, ...]]:
        """Why the items of `batch` have their `scores` (aligned) from a `FittedDetector`."""
        ...

    def peaks(self, local: Floats) -> Floats | None:
        """The highest score (n,) in the map of each item, for the p-values of regions; None where there are no maps."""
        ...

    def write_maps(self, data: Any, batch: Batch, scores: Scores, folder: Path) -> dict[int, str]:
        """Write local scores at the items' own resolution below `folder`; paths relative to it, by item."""
        ...

    def full_map(self, data: Any, i: int, local: Floats) -> Floats:
        """Local scores (h, w) of item `i` at its own resolution (H, W)."""
        ...


_ROADS = {"table": "agentad.tools.tables", "image": "agentad.tools.images"}


def road(modality: Modality) -> Road:
    """The road of a modality."""
    return cast("Road", import_module(_ROADS[modality]))


def road_at(path: Path) -> Road:
    """The road for what is at `path`, recognised cheaply.

    Raises:
        UnreadableData: nothing there, or nothing agentad can read.
    """
    try:
        path.stat()
    except OSError as error:
        missing = isinstance(error, FileNotFoundError | NotADirectoryError)
        reason = "no such file or folder" if missing else error.strerror
        raise UnreadableData(f"{shown(path)}: {reason}; check the path given with --data") from error
    for name in _ROADS:
        candidate = road(cast("Modality", name))
        if candidate.recognise(path):
            return candidate
    raise UnreadableData(
        f"{shown(path)}: neither a table nor images; give a CSV, TSV, Parquet or .npz file, an image, or a folder of "
        "these"
    )


def look(path: Path) -> Any:
    """The data at `path`, looked through once. Raises as `road_at`."""
    return road_at(path).look(path)
