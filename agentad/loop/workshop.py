"""What a modality must offer to the loop: real items as heads see them, and invented ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from agentad.detectors.base import Floats, Scores
from agentad.detectors.judged import Judged
from agentad.flow import Loop, Mix, Modality, Reliability, SyntheticImage, SyntheticRow
from agentad.loop.feedback import Marks
from agentad.tools.fitted import FittedDetector
from agentad.tools.road import Indices, Progress

Places = NDArray[np.int64]
"""Positions among the known anomalies, or among the normals."""
Encode = Callable[[Indices], Floats]
"""The data's items at some positions, encoded."""


@dataclass(frozen=True)
class Real:
    """The real items that the loop works with."""

    normal: Judged
    """What the detector learned from, with held-out scores."""
    known: Judged
    """The anomalies that are learned from."""
    normal_index: Indices
    """(n,) their positions among the data's items."""
    known_index: Indices
    """(k,)"""
    kinds: NDArray[np.object_]
    """(k,) type of each known anomaly, or empty."""
    source: NDArray[np.bool_]
    """(n,) normals that anomalies are invented from. No gate asks about them."""


@dataclass(frozen=True)
class Made:
    """Invented items that verifiers let pass."""

    judged: Judged
    origins: tuple[SyntheticImage | SyntheticRow, ...]
    """Aligned with `judged`."""
    what: Any
    """What `save` writes beside the origins: images with masks, or rows."""
    rejected: Mapping[str, int]
    """By verifier: how often it rejected something."""
    dropped: int
    """Items given up."""
    reliabilities: tuple[Reliability, ...] = ()


class Workshop(Protocol):
    """A modality's part in the loop of one run."""

    real: Real

    @property
    def marked(self) -> Marks | None:
        """What is measured of the masks of the known anomalies; None for rows."""
        ...

    def invent(self, known: Places, mix: Mix, n: int, *, seed: int, progress: Progress) -> Made:
        """Up to `n` verified items by a generator that was fitted on the source normals and these known anomalies."""
        ...

    def save(self, made: Made, folder: Path) -> None:
        """Write the items, and where each comes from as a line of `manifest.jsonl`."""
        ...

    def load(self, folder: Path) -> Judged:
        """The items that `save` wrote, encoded and scored again."""
        ...


_WORKSHOPS = {"table": "agentad.loop.tables", "image": "agentad.loop.images"}


def workshop(
    modality: Modality,
    loop: Loop,
    fitted: FittedDetector,
    data: Any,
    held_out: tuple[Indices, Scores],
    known: Indices,
    *,
    seed: int,
    progress: Progress,
    encode: Encode | None = None,
) -> Workshop:
    """The workshop for `data`.

    Args:
        modality: of the data.
        loop: what is planned.
        fitted: the detector without an adapter.
        data: opened data.
        held_out: positions of the items the detector learned from, and their held-out scores.
        known: positions of the anomalies to learn from.
        seed: decides which normals anomalies are invented from.
        progress: called with (what, done, total).
        encode: gives the items at some positions encoded, where they have been before; by default they are read.
    """
    module = import_module(_WORKSHOPS[modality])
    return cast(
        "Workshop", module.opened(loop, fitted, data, held_out, known, seed=seed, progress=progress, encode=encode)
    )


def source_normals(group: Indices, *, seed: int) -> NDArray[np.bool_]:
    """(n,) half of the normals, whole groups of them."""
    groups = np.unique(group)
    chosen = np.random.default_rng(seed).permutation(groups)[: (len(groups) + 1) // 2]
    return np.isin(group, chosen)
