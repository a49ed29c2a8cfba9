"""From rows to one line a detector: means, ranks, costs, and how often it beats each baseline."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata, wilcoxon

from agentad.bench.kept import Row


def summarise(
    rows: Sequence[Row],
    *,
    detectors: Sequence[str],
    baselines: Sequence[str],
    metrics: Sequence[str],
    per_item: Sequence[str],
    parts: Sequence[str] = (),
) -> list[dict[str, Any]]:
    """One entry per detector, in their order.

    Each has the mean over data sets of `metrics` and of the costs `per_item` (mean over seeds first), CPU seconds in
    all and for the `parts` of fitting, and by the first metric its mean `rank` (1 is best, ties share, a failure is
    last) and `wins_vs` each baseline.
    """
    values = {name: by_dataset(rows, name, metrics[0]) for name in detectors}
    ranks = _ranks(values)
    found = []
    for name in detectors:
        own = [row for row in rows if row["detector"] == name]
        finished = [row for row in own if "error" not in row]
        found.append(
            {
                "detector": name,
                **{key: _mean(by_dataset(rows, name, key)) for key in (*metrics, *per_item)},
                "rank": ranks[name],
                **{key: round(sum(row[key] for row in finished), 3) for key in ("fit_s", *parts, "score_s")},
                "cpu_s": round(sum(row["fit_s"] + row["score_s"] for row in finished), 3),
                "peak_mb": max((row["peak_mb"] for row in finished), default=None),
                "diffusion": any(row["diffusion"] for row in finished),
                "datasets": len(values[name]),
                "failed": len(own) - len(finished),
                "wins_vs": {b: compare(values[name], values[b]) for b in baselines if b != name},
            }
        )
    return found


def best_of(summary: Sequence[dict[str, Any]], names: Sequence[str], metric: str) -> str | None:
    """The one of `names` with the highest mean of `metric`, over its entries; the first of equals."""
    there: dict[str, list[float]] = {}
    for entry in summary:
        if entry["detector"] in names and entry[metric] is not None:
            there.setdefault(entry["detector"], []).append(entry[metric])
    return max(there, key=lambda name: fmean(there[name])) if there else None


def by_dataset(rows: Sequence[Row], detector: str, key: str) -> dict[str, float]:
    """Mean of `key` over the seeds of each data set that `detector` finished."""
    found: dict[str, list[float]] = {}
    for row in rows:
        if row["detector"] == detector and row.get(key) is not None:
            found.setdefault(row["dataset"], []).append(row[key])
    return {name: fmean(values) for name, values in found.items()}


def compare(one: dict[str, float], other: dict[str, float]) -> dict[str, Any]:
    """On how many of the data sets that both have `one` is ahead, and the two-sided p of Wilcoxon's signed-rank test.

    Data sets on which they are equal take no part in the test; p is None where nothing is left.
    """
    shared = [name for name in one if name in other]
    differences = np.array([one[name] - other[name] for name in shared])
    apart = differences[differences != 0]
    return {
        "wins": int((differences > 0).sum()),
        "ties": len(differences) - len(apart),
        "losses": int((differences < 0).sum()),
        "p": float(wilcoxon(apart).pvalue) if len(apart) else None,
    }


def _ranks(values: dict[str, dict[str, float]]) -> dict[str, float | None]:
    datasets = list(dict.fromkeys(name for own in values.values() for name in own))
    if not datasets:
        return dict.fromkeys(values)
    table: NDArray[np.float64] = np.array([[own.get(name, -np.inf) for name in datasets] for own in values.values()])
    ranks = rankdata(-table, axis=0).mean(axis=1)
    return dict(zip(values, ranks.tolist(), strict=True))


def _mean(values: dict[str, float]) -> float | None:
    return fmean(values.values()) if values else None
