"""How often the gate adopts a candidate that is no better, and one that is: simulated, so that the truth is known.

Each world draws real items as two detectors score them. Anomalies lie 1.5 standard deviations above normal items in
what both detectors share.

- useless: `two-looks` (both add noise of their own), `noise-added` (the candidate adds noise), `rescaled` (the
  candidate says the same on another scale), `shuffled-labels` (neither knows anything of the labels), `heavy-tails`
  (noise without a variance), `fold-heads` (items are scored out of 5 folds, each by heads on scales of their own).
- useful: `sharper` (the candidate adds less noise), `blind-spot` (the candidate sees a third of the anomalies that the
  other one takes for normal).
- `lopsided`: the candidate is a little better on nine tenths of the anomalies and blind to the others, on the whole no
  better. Few anomalies often hold none of the others, and no test can know; it is told to show the limit.

For pixel metrics an item's score is how far a spot of 5 by 5 pixels stands out of a noise map of 16 by 16 that both
detectors share; on anomalies the spot is the mask.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from agentad.errors import InputError
from agentad.loop.gate import LEVEL, decide
from agentad.metrics.paired import METRICS, PIXEL
from agentad.metrics.pixels import Tally, tally

Floats = NDArray[np.floating[Any]]
Labels = NDArray[np.integer[Any]]
Candidate = Callable[[], Floats]
Scored = tuple[Floats, Candidate, Labels | None]
"""Scores (n,) before, a draw of those of a candidate, and the fold of each item, if there are folds."""
World = Callable[[np.random.Generator, Labels], Scored]

SHIFT = 1.5
FOLDS = 5
SIDE, SPOT = 16, 5


def bench_gate(
    *,
    trials: int = 100,
    anomalies: Sequence[int] = (3, 5, 10, 25),
    normals: Sequence[int] = (40,),
    metric: str = "auroc",
    rounds: int = 1,
    level: float = LEVEL,
    worlds: Sequence[str] = (),
    seed: int = 0,
) -> dict[str, Any]:
    """One row per world and number of items: the share of runs in which a candidate was adopted.

    Args:
        trials: runs of each row.
        anomalies: how many there are, each number tried.
        normals: the same.
        metric: of `loop.gate.decide`; no macro metric, as there are no types.
        rounds: candidates that each run tries one after the other, sharing the level; an adopted one stays.
        level: nominal rate of false adoption of a run.
        worlds: those above; all by default.
        seed: of everything.

    Raises:
        InputError: an unknown world or metric, or no trial.
    """
    unknown = sorted(set(worlds) - set(WORLDS))
    if unknown:
        raise InputError(f"worlds {', '.join(unknown)}: there are {', '.join(WORLDS)}")
    if metric not in METRICS or metric.startswith("macro_"):
        known = ", ".join(name for name in METRICS if not name.startswith("macro_"))
        raise InputError(f"metric {metric!r}: give one of {known}")
    if min([trials, rounds, *anomalies, *normals]) < 1:
        raise InputError("trials, rounds, anomalies and normals: give whole numbers of at least 1")
    rows = []
    for world in worlds or WORLDS:
        for n in normals:
            for m in anomalies:
                start = time.process_time()
                rng = np.random.default_rng([seed, list(WORLDS).index(world), n, m])
                runs = [_run(world, m, n, metric, rounds, level, rng) for _ in range(trials)]
                adopted = sum(any(run) for run in runs)
                interval = stats.binomtest(adopted, trials).proportion_ci()
                rows.append(
                    {
                        "world": world,
                        "truth": TRUTH.get(world, "useless"),
                        "metric": metric,
                        "anomalies": m,
                        "normals": n,
                        "rounds": rounds,
                        "trials": trials,
                        "level": level,
                        "adopted": adopted / trials,
                        "interval": [float(interval.low), float(interval.high)],
                        "cpu_s": time.process_time() - start,
                    }
                )
    return {"suite": "gate", "rows": rows, "summary": _summary(rows)}


def _summary(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Per world: the mean and the greatest share of runs that adopted something."""
    worlds = dict.fromkeys(row["world"] for row in rows)
    found = []
    for world in worlds:
        own = [row for row in rows if row["world"] == world]
        shares = [row["adopted"] for row in own]
        cpu = sum(row["cpu_s"] for row in own)
        found.append(
            {"world": world, "truth": own[0]["truth"], "adopted": fmean(shares), "most": max(shares), "cpu_s": cpu}
        )
    return found


def _run(world: str, m: int, n: int, metric: str, rounds: int, level: float, rng: np.random.Generator) -> list[bool]:
    """Whether each of the candidates was adopted."""
    labels = np.repeat([1, 0], [m, n])
    before, candidate, folds = WORLDS[world](rng, labels)
    adopted = []
    for number in range(1, rounds + 1):
        after = candidate()
        found = decide(
            before,
            after,
            labels,
            np.arange(m + n),
            metric=metric,
            seed=number,
            level=level,
            rounds=rounds,
            number=number,
            folds=folds,
            pixels=_maps(rng, labels, before, after) if metric in PIXEL else None,
        )
        adopted.append(found.adopted)
        before = after if found.adopted else before
    return adopted


def _maps(rng: np.random.Generator, labels: Labels, *scores: Floats) -> tuple[Tally, Tally]:
    n = len(labels)
    noise = rng.normal(size=(n, SIDE, SIDE))
    spots = np.zeros((n, SIDE, SIDE), bool)
    for spot, (y, x) in zip(spots, rng.integers(0, SIDE - SPOT, size=(n, 2)), strict=True):
        spot[y : y + SPOT, x : x + SPOT] = True
    masks = spots & (labels == 1)[:, None, None]
    first, second = (_tally(noise + one[:, None, None] * spots, masks) for one in scores)
    return first, second


def _tally(maps: Floats, masks: NDArray[np.bool_]) -> Tally:
    return tally(len(maps), lambda i: maps[i].astype(np.float32), lambda i: masks[i])


def _shared(rng: np.random.Generator, labels: Labels) -> Floats:
    base: Floats = rng.normal(size=len(labels)) + SHIFT * labels
    return base


def _noise(rng: np.random.Generator, labels: Labels, size: float) -> Floats:
    noise: Floats = size * rng.normal(size=len(labels))
    return noise


def _two_looks(rng: np.random.Generator, labels: Labels) -> Scored:
    base = _shared(rng, labels)
    return base + _noise(rng, labels, 0.5), lambda: base + _noise(rng, labels, 0.5), None


def _noise_added(rng: np.random.Generator, labels: Labels) -> Scored:
    base = _shared(rng, labels)
    return base, lambda: base + _noise(rng, labels, 0.5), None


def _rescaled(rng: np.random.Generator, labels: Labels) -> Scored:
    base = _shared(rng, labels)
    return base, lambda: 100 * np.exp(base), None


def _shuffled_labels(rng: np.random.Generator, labels: Labels) -> Scored:
    return _noise(rng, labels, 1), lambda: _noise(rng, labels, 1), None


def _heavy_tails(rng: np.random.Generator, labels: Labels) -> Scored:
    base = _shared(rng, labels)

    def look() -> Floats:
        return base + 0.3 * rng.standard_t(1.5, size=len(labels))

    return look(), look, None


def _fold_heads(rng: np.random.Generator, labels: Labels) -> Scored:
    fold, base = rng.permutation(len(labels)) % FOLDS, _shared(rng, labels)

    def look() -> Floats:
        return base + _noise(rng, labels, 0.3) + rng.normal(size=FOLDS)[fold] / 2

    return look(), look, fold


def _sharper(rng: np.random.Generator, labels: Labels) -> Scored:
    base = _shared(rng, labels)
    return base + _noise(rng, labels, 1), lambda: base + _noise(rng, labels, 0.3), None


def _blind_spot(rng: np.random.Generator, labels: Labels) -> Scored:
    base = _shared(rng, labels)
    missed = SHIFT * (labels == 1) * (np.arange(len(labels)) % 3 == 0)
    return base - missed + _noise(rng, labels, 0.5), lambda: base + _noise(rng, labels, 0.5), None


def _lopsided(rng: np.random.Generator, labels: Labels) -> Scored:
    base, lost = _shared(rng, labels), (labels == 1) & (rng.random(len(labels)) < 0.1)
    better = np.where(lost, -4.0, base + 0.75 * labels)
    return base + _noise(rng, labels, 0.3), lambda: better + _noise(rng, labels, 0.3), None


WORLDS: dict[str, World] = {
    "two-looks": _two_looks,
    "noise-added": _noise_added,
    "rescaled": _rescaled,
    "shuffled-labels": _shuffled_labels,
    "heavy-tails": _heavy_tails,
    "fold-heads": _fold_heads,
    "sharper": _sharper,
    "blind-spot": _blind_spot,
    "lopsided": _lopsided,
}
TRUTH = {"sharper": "useful", "blind-spot": "useful", "lopsided": "lopsided"}
