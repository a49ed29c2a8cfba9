"""The loop on folders of data sets: what learning from few real anomalies adds, inventing more, and going round."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from scipy.stats import wilcoxon

from agentad.bench.kept import Row
from agentad.bench.loop_suite import FEW_REAL, LOOP, PASTE, PASTING, UNSUPERVISED, LoopImages, LoopTables
from agentad.bench.suite import Bench
from agentad.errors import InputError
from agentad.modalities.shown import shown
from agentad.tools.road import Progress, road_at, silent

DEFAULT = "default"
SHOTS = (5,)
MAX_ROWS = 50_000
AGAINST = (UNSUPERVISED, FEW_REAL, PASTE)
TEST = "Wilcoxon signed-rank test, two-sided, on the differences of each data set and seed"


def bench_loop(
    data: str | Path | Sequence[str | Path],
    *,
    shots: Sequence[int] = SHOTS,
    seeds: int = 1,
    configurations: str = DEFAULT,
    rounds: int = 3,
    count: int = 100,
    metric: Literal["auroc", "ap", "pixel_ap"] | None = None,
    max_rows: int = MAX_ROWS,
    out: Path | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Measure what few real anomalies, invented ones and the loop add to the detector. Finished rows are kept.

    Some anomalies of each type are learned from, no two of one group. Judged are the other anomalies that are of none
    of their groups, and the normal items that nothing learned from. Configurations:

    - `unsupervised`: the detector that the rule planner chooses;
    - `few-real`: a head on top of it, taught by the real anomalies;
    - `paste`: taught by verified ones besides, made by `residual-paste` or, for tables, by `transplanted-rows`;
    - the name of any generator, which does the same with it, and any of these with `-unverified` at its end;
    - `loop`: rounds through critic, verifiers and gate with the rules' generator; `loop:even`, `loop:random` and so on
      with another strategy of the critic.

    Args:
        data: one or several folders: of images in MVTec's layout, as in the suite `images`, or of labelled tables.
        shots: how many anomalies of each type are learned from, 0 for none. Of several numbers the same items are
            judged.
        seeds: 0 to `seeds` - 1. They decide which anomalies are learned from, and the methods' own draws.
        configurations: names separated by commas; `default`: `unsupervised`, `few-real`, `paste`, `loop`.
        rounds: of the loop, at most.
        count: invented items of one lot.
        metric: what the gate goes by; without one pixel AP for images and AP for tables.
        max_rows: longer tables are thinned to about this many rows.
        out: where finished rows are kept, by default in the folder of runs.
        progress: called with (what, done, total).

    Returns:
        `rows`, one per data set, configuration, shots and seed; those that invented something hold `generation` as
        `generation.told` says. `summary`, one per configuration and shots, with mean metrics, CPU seconds in all, and
        `against`: the mean paired difference to others, over data sets and seeds, by metric, with its p-value. Seeds of
        one data set judge mostly the same items, so that p says how sure the difference is on these data sets.

    Raises:
        InputError: bad options, or no data sets there.
    """
    roots = [Path(path) for path in ([data] if isinstance(data, str | Path) else data)]
    kinds = {road_at(root).MODALITY for root in roots}
    if len(kinds) != 1:
        raise InputError(f"{', '.join(shown(root) for root in roots)}: give folders of images or of tables, not both")
    chosen = _checked(shots)
    if rounds < 1 or count < 1:
        raise InputError(f"rounds {rounds}, count {count}: give at least 1")
    suite: LoopImages | LoopTables = (
        LoopImages(chosen, rounds, count, metric, progress)
        if kinds == {"image"}
        else LoopTables(chosen, rounds, count, metric, max_rows, progress)
    )
    usual = [*suite.baselines, LOOP]
    named = [name.strip() for name in configurations.split(",")]
    every = [one for name in named for one in (usual if name == DEFAULT else [name])]
    asked = list(dict.fromkeys(every))
    found = Bench(suite, roots, detectors=",".join(asked), seeds=seeds, out=out, progress=progress).run()
    return _as_configurations(found, suite)


def _as_configurations(found: dict[str, Any], suite: LoopImages | LoopTables) -> dict[str, Any]:
    """The document of a bench that calls its methods configurations."""
    rows = [_renamed(row) for row in found["rows"]]
    summary = []
    for entry in found["summary"]:
        own = {key: value for key, value in _renamed(entry).items() if key not in ("wins_vs", "rank")}
        shots = entry["shots"]
        same = [row for row in rows if row["shots"] == shots and "error" not in row]
        own["against"] = {
            name: {metric: paired(same, entry["detector"], name, metric) for metric in suite.metrics}
            for name in AGAINST
            if name != entry["detector"] and any(row["configuration"] == name for row in same)
        }
        summary.append(own)
    del found["best_baseline"]
    modality = {"modality": suite.modality, "paste": PASTING[suite.modality], "test": TEST}
    return {"suite": found.pop("suite"), **modality, **found, "rows": rows, "summary": summary}


def paired(rows: Sequence[Row], one: str, other: str, metric: str) -> dict[str, Any]:
    """How much higher `one` is than `other` in `metric`, over the data sets and seeds that both finished.

    `difference` is the mean, `p` by `TEST`, None where nothing differs; wins, ties and losses are of pairs.
    """
    values = {
        name: {
            (row["dataset"], row["seed"]): row[metric]
            for row in rows
            if row["configuration"] == name and row.get(metric) is not None
        }
        for name in (one, other)
    }
    shared = [key for key in values[one] if key in values[other]]
    differences = np.array([values[one][key] - values[other][key] for key in shared])
    apart = differences[differences != 0]
    return {
        "difference": float(differences.mean()) if len(shared) else None,
        "p": float(wilcoxon(apart).pvalue) if len(apart) else None,
        "wins": int((differences > 0).sum()),
        "ties": len(differences) - len(apart),
        "losses": int((differences < 0).sum()),
    }


def _renamed(row: Row) -> Row:
    return {"configuration" if key == "detector" else key: value for key, value in row.items()}


def _checked(shots: Sequence[int]) -> tuple[int, ...]:
    if not shots or min(shots) < 0 or len(set(shots)) < len(shots):
        said = ",".join(map(str, shots))
        raise InputError(f"shots {said}: give different whole numbers, such as 1,5,10, or 0 for no real anomaly")
    return tuple(sorted(shots))
