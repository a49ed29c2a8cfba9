"""How a finished run's detector does against invented anomalies of every size, place and strength.

The anomalies are put on normal images that the detector has not learned from where there are any, and no verifier
looks at them: one that asks whether the detector sees them would leave the easy ones. What this tells is how the
detector does on *these*; real anomalies are better evidence wherever there are any.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from agentad.errors import Infeasible
from agentad.flow import Brief, Stress, StressCell
from agentad.generators.images.base import Defect
from agentad.modalities.image import ImageData
from agentad.modalities.shown import shown
from agentad.planning.strategies import PLACES, SIZES
from agentad.steps.generate import Maker
from agentad.steps.session import Session
from agentad.tools.fitted import FittedDetector, make

STRENGTHS = {"faint": 0.5, "usual": 1.0, "strong": 1.5}
MOST_NORMALS = 100
"""Normal images that are used."""
TRIES = 3
"""How often an anomaly that has no place on one image is tried on another."""
_BATCH = 8


def stressed(session: Session, *, count: int, generator: str | None, seed: int) -> Stress:
    """`count` anomalies of each size, place and strength, and how many of them the detector in place flags.

    Raises:
        InputError: a generator that does not fit the data; data that has changed.
        Infeasible: rows; or nothing can be invented here.
    """
    data = session.data
    if session.plan.modality != "image":
        raise Infeasible(
            f"{shown(session.request.data)}: sizes and places are of images, and this run is of rows; "
            "`agentad generate` makes odd rows to conditions"
        )
    maker = Maker(session, generator, verify=False)
    step, fitted = maker.step, session.fitted
    index, learned = _normals(session, seed)
    images = [data.read(int(i)) for i in index]
    tool = make(step).fit(images, _defects(data, maker.known), seed=seed)
    grid = list(product(SIZES, PLACES, STRENGTHS))
    cells = []
    for done, (size, place, strength) in enumerate(grid):
        session.progress("trying", done, len(grid))
        force = STRENGTHS[strength]
        brief = Brief(size=SIZES[size], place=PLACES[place], strength=(force, force))
        drawn = _drawn(tool, brief, count, len(images), seed * len(grid) + done)
        found = int(_flagged(fitted, drawn).sum())
        interval = binomtest(found, len(drawn)).proportion_ci() if drawn else None
        ends = None if interval is None else (float(interval.low), float(interval.high))
        cells.append(StressCell(size=size, place=place, strength=strength, made=len(drawn), found=found, interval=ends))
    session.progress("trying", len(grid), len(grid))
    return Stress(
        run=session.run.name,
        detector=str(session.detector),
        generator=step,
        seed=seed,
        normals=len(images),
        learned=learned,
        flagged_normals=int(_flagged(fitted, images).sum()),
        cells=tuple(cells),
        sizes=SIZES,
        strengths=STRENGTHS,
        notes=_notes(len(maker.known), step.tool, learned=learned),
    )


def _notes(known: int, tool: str, *, learned: bool) -> tuple[str, ...]:
    source = f"made with {tool} from {known} real ones" if known else f"drawn with {tool}, like no real one"
    said = [f"These anomalies are invented ({source}): the figures say nothing certain about real ones."]
    if learned:
        said.append(
            "They stand on images that the detector has learned from, for want of others; it may find them harder or "
            "easier on new images."
        )
    return tuple(said)


def _normals(session: Session, seed: int) -> tuple[NDArray[Any], bool]:
    """Positions of normal images, and whether the detector has learned from them."""
    split, labels = session.split, session.data.items.label
    fresh = split.test[labels[split.test] == 0]
    index = fresh if len(fresh) else split.train
    chosen = np.random.default_rng(seed).permutation(index)[:MOST_NORMALS]
    return np.sort(chosen), not len(fresh)


def _defects(data: ImageData, known: NDArray[Any]) -> list[Defect]:
    masks = ((int(i), data.mask(int(i))) for i in known)
    return [Defect(data.read(i), mask, str(data.items.kind[i])) for i, mask in masks if mask is not None]


def _drawn(tool: Any, brief: Brief, count: int, normals: int, seed: int) -> list[NDArray[np.uint8]]:
    rng = np.random.default_rng(seed)
    found: list[NDArray[np.uint8]] = []
    for attempt in range(TRIES):
        left = count - len(found)
        base = rng.integers(normals, size=left).tolist()
        made = tool.sample([brief] * left, base, seed=seed + attempt)
        found += [one.image for one in made if one is not None]
        if len(found) == count:
            break
    return found


def _flagged(fitted: FittedDetector, images: list[NDArray[np.uint8]]) -> NDArray[np.bool_]:
    parts = [
        fitted.scorer.score(fitted.encoder.encode(images[i : i + _BATCH])).item for i in range(0, len(images), _BATCH)
    ]
    return np.concatenate(parts) > fitted.threshold.value if parts else np.zeros(0, bool)
