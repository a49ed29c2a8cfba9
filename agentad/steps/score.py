"""Score everything the run was asked about, say why, and write `scores.jsonl`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from agentad.detectors.base import Scores
from agentad.detectors.conformal import Calibration
from agentad.errors import AgentadError
from agentad.flow import Evidence, ScoredItem
from agentad.flow.report import UNSUPERVISED
from agentad.modalities.items import Items
from agentad.steps.fit import held_out
from agentad.steps.session import Session
from agentad.store.arrays import load_state, save_state
from agentad.tools.adapter import load
from agentad.tools.fitted import FittedDetector
from agentad.tools.road import Batch, Indices, Progress, silent
from agentad.tools.scored import load_scores

WORST_EXPLAINED = 50
"""The highest scores of each batch are explained even if nothing is flagged."""
MOST_EXPLAINED = 1_000
"""Most items of a batch that are explained."""
LINES = 65_536
"""Lines written from one block; bounds the memory of turning arrays into numbers."""
_SAID: TypeAdapter[tuple[Evidence, ...]] = TypeAdapter(tuple[Evidence, ...])
_quoted = json.encoder.encode_basestring_ascii


@dataclass
class Scored:
    """Scores of m items in the order of `index`, filled in batch by batch."""

    index: Indices
    item: NDArray[np.float64]
    """(m,) NaN where a method was not asked."""
    local: NDArray[np.float32] | None = None
    """(m, h, w) for images."""
    evidence: dict[int, str] = field(default_factory=dict)
    """As JSON: what is said of a hundred thousand rows takes a twentieth of the memory."""
    maps: dict[int, str] = field(default_factory=dict)

    @classmethod
    def empty(cls, index: Indices) -> Scored:
        """Nothing scored yet."""
        return cls(index, np.full(len(index), np.nan))

    def put(self, index: Indices, scores: Scores) -> None:
        """Fill in the scores of the items at `index`."""
        at = np.searchsorted(self.index, index)
        self.item[at] = scores.item
        if scores.local is not None and scores.local.ndim == 3:  # a row's contributions are evidence, not a map
            if self.local is None:
                self.local = np.zeros((len(self.index), *scores.local.shape[1:]), np.float32)
            self.local[at] = scores.local


def score(session: Session, folder: Path) -> None:
    """`scores.jsonl`, maps, and the raw scores of every method."""
    fitted, split = session.fitted, session.split
    baselines = {name: load(folder) for name, folder in session.beside().items()}
    results = {name: Scored.empty(split.scored) for name in session.methods}
    main = results[session.plan.detector.tool]
    known, scores = _not_learned(session)
    _explain_held_out(fitted, session.data, known, scores, main, folder)
    for name in baselines:
        own = session.plan.detector.tool if name == UNSUPERVISED else name
        results[name].put(*held_out(session, own))
    judged = np.zeros(len(session.data.items), dtype=bool)
    judged[split.test] = True
    fresh = np.setdiff1d(split.scored, known, assume_unique=True)
    for batch in _score_fresh(fitted, session.data, fresh, main, folder, session.progress):
        _score_baselines(baselines, fitted, session.data, batch, judged, results)
    for name, result in results.items():
        _save(folder / "methods" / name, result)
    included = np.isin(split.scored, known)
    write_lines(folder / "scores.jsonl", fitted, session.data.items, main, included)


def _not_learned(session: Session) -> tuple[Indices, Scores]:
    """Positions and scores of the items that the detector learned from, by parts of it that did not."""
    if not session.adapted:
        return held_out(session, session.plan.detector.tool)
    index, scores = load_scores(session.folder("adapt") / "held_out")
    wanted = np.isin(index, session.split.scored)
    return index[wanted], scores.take(wanted)


def score_all(fitted: FittedDetector, data: Any, folder: Path, progress: Progress = silent) -> Scored:
    """Score every item of `data` with a finished detector into `folder`: `scores.jsonl`, and maps for images."""
    index = np.arange(len(data.items))
    result = Scored.empty(index)
    for _ in _score_fresh(fitted, data, index, result, folder, progress):
        pass
    write_lines(folder / "scores.jsonl", fitted, data.items, result, np.zeros(len(index), bool))
    return result


def _score_fresh(
    fitted: FittedDetector, data: Any, index: Indices, into: Scored, folder: Path, progress: Progress
) -> Iterator[Batch]:
    for batch, scores in fitted.scored(data, index, progress):
        into.put(batch.index, scores)
        _explain(fitted, data, batch, scores, into)
        into.maps.update(fitted.road.write_maps(data, batch, scores, folder))
        yield batch


def _score_baselines(
    baselines: Mapping[str, FittedDetector],
    beside: FittedDetector,
    data: Any,
    batch: Batch,
    judged: NDArray[np.bool_],
    into: Mapping[str, Scored],
) -> None:
    """Baselines are only asked about `judged` items (of all n), which metrics will be computed on.

    The batch is encoded for the detector they run `beside`, and again for a baseline that sees something else.
    """
    chosen = np.flatnonzero(judged[batch.index])
    if not len(chosen):
        return
    part = _taken(batch, chosen)
    for name, baseline in baselines.items():
        shared = baseline.plan.encoder == beside.plan.encoder
        x = part.x if shared else baseline.encoder.encode(part.raw)
        into[name].put(part.index, baseline.score(data, Batch(part.index, part.raw, x)))


def _explain_held_out(
    fitted: FittedDetector, data: Any, index: Indices, scores: Scores, into: Scored, folder: Path
) -> None:
    """Training items keep their held-out scores; they are read again to be explained and drawn."""
    into.put(index, scores)
    drawn = index if into.local is not None else index[_worth_explaining(fitted, scores.item)]
    for batch in fitted.road.batches(fitted.encoder, data, drawn) if len(drawn) else ():
        at = np.searchsorted(index, batch.index)
        own = scores.take(at)
        _explain(fitted, data, batch, own, into)
        into.maps.update(fitted.road.write_maps(data, batch, own, folder))


def _explain(fitted: FittedDetector, data: Any, batch: Batch, scores: Scores, into: Scored) -> None:
    chosen = _worth_explaining(fitted, scores.item)
    if not len(chosen):
        return
    part = _taken(batch, chosen)
    found = fitted.evidence(data, part, scores.take(chosen))
    into.evidence.update(zip(part.index.tolist(), map(as_json, found), strict=True))


def _taken(batch: Batch, chosen: Indices) -> Batch:
    """The items at the positions `chosen` of a batch."""
    raw = [batch.raw[i] for i in chosen] if isinstance(batch.raw, list) else batch.raw[chosen]
    return Batch(batch.index[chosen], raw, batch.x[chosen])


def as_json(said: tuple[Evidence, ...]) -> str:
    """The value of `evidence` in a line of `scores.jsonl`."""
    return _SAID.dump_json(said).decode()


def _worth_explaining(fitted: FittedDetector, item: NDArray[Any]) -> Indices:
    order = np.argsort(-item, kind="stable")
    flagged = int(np.sum(fitted.calibration.flags(item)))
    return np.sort(order[: min(max(flagged, WORST_EXPLAINED), MOST_EXPLAINED)])


def write_lines(path: Path, fitted: FittedDetector, items: Items, result: Scored, included: NDArray[np.bool_]) -> None:
    """One `ScoredItem` a line. `included` (m,) marks items that calibrated the threshold themselves."""
    if not np.isfinite(result.item).all():
        raise AgentadError(
            f"{fitted.plan.detector.tool}: some scores are not finite; please report this with the data's shape"
        )
    with path.open("w", encoding="utf-8") as file:
        for start in range(0, len(result.index), LINES):
            part = slice(start, start + LINES)
            file.writelines(_lines(fitted.calibration, items, result, included[part], part))


def _lines(
    calibration: Calibration, items: Items, result: Scored, included: NDArray[np.bool_], part: slice
) -> Iterator[str]:
    """What `ScoredItem.model_dump_json` would write, ten times as fast."""
    index, score = result.index[part], result.item[part]
    p_values = np.where(included, calibration.p_values(score, included=True), calibration.p_values(score))
    told = (index, items.id[index], score, p_values, calibration.flags(score), calibration.borderline(score))
    for i, name, value, p_value, flag, near in zip(*(array.tolist() for array in told), strict=True):
        said, drawn = result.evidence.get(i, "[]"), result.maps.get(i)
        yield (
            f'{{"id":{_quoted(name)},"score":{value!r},"p_value":{p_value!r},"flag":{"true" if flag else "false"},'
            f'"borderline":{"true" if near else "false"},"evidence":{said},'
            f'"map":{"null" if drawn is None else _quoted(drawn)}}}\n'
        )


def read_lines(path: Path, keep: Callable[[int], bool] = lambda i: True) -> list[ScoredItem]:
    """The items of a `scores.jsonl` whose line number `keep` wants."""
    with path.open("rb") as file:
        return [ScoredItem.model_validate_json(line) for i, line in enumerate(file) if keep(i)]


def _save(folder: Path, result: Scored) -> None:
    arrays = {"index": result.index, "item": result.item}
    save_state(folder, arrays if result.local is None else {**arrays, "local": result.local}, {})


def read_scores(session: Session, method: str) -> tuple[NDArray[np.float64], NDArray[np.float32] | None]:
    """Item scores (m,) and, for images, local scores (m, h, w) of the scored items by one method."""
    arrays, _ = load_state(session.folder("score") / "methods" / method)
    return arrays["item"], arrays.get("local")
