"""Tables with labels: how well methods rank anomalous rows above normal ones, and at what cost."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from agentad.bench.few_shot import FewShot
from agentad.bench.suite import Bench, Suite
from agentad.bench.table_suite import Tables
from agentad.errors import InputError
from agentad.tools.road import Progress, silent

Protocol = Literal["semi", "contaminated", "few-shot"]
MAX_ROWS = 50_000
SHOTS = (1, 5, 10)


def bench_tables(
    data: str | Path,
    *,
    protocol: Protocol = "semi",
    shots: Sequence[int] | None = None,
    seeds: int = 1,
    detectors: str = "default",
    max_rows: int = MAX_ROWS,
    out: Path | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Measure detectors and baselines on every labelled table in `data`. The same call again returns at once.

    Args:
        data: a folder of tables, one data set a file, or one table.
        protocol: `semi`: half of the normal rows to learn from, the others and all anomalies judged;
            `contaminated`: learn from all rows without their labels, and judge them all;
            `few-shot`: as `semi`, with a few anomalies to learn from and the others judged.
        shots: how many anomalies `few-shot` learns from, by default 1, 5 and 10. All are judged on the same rows.
        seeds: 0 to `seeds` - 1, each another split.
        detectors: `default` (what the rule planner chooses), names of tools separated by commas, or `all`. With
            `pyod-engine` among them PyOD's automatic engine is one more baseline. In `few-shot` these are generators,
            which invent anomalies for `few-label-head` to learn from.
        max_rows: longer tables are thinned to about this many, each class by the same share.
        out: where finished rows are kept, by default in the folder of runs.
        progress: called with (what, done, total).

    Returns:
        `rows`, one per data set, detector, shots and seed, `summary`, one per detector and shots, and what was skipped.

    Raises:
        InputError: bad options, or no tables there.
    """
    if max_rows < 2:
        raise InputError(f"max-rows {max_rows}: give at least 2")
    suite = _suite(protocol, shots, max_rows)
    return Bench(suite, [Path(data)], detectors=detectors, seeds=seeds, out=out, progress=progress).run()


def _suite(protocol: Protocol, shots: Sequence[int] | None, max_rows: int) -> Suite:
    if protocol == "few-shot":
        return FewShot(_checked(SHOTS if shots is None else shots), max_rows)
    if shots is not None:
        raise InputError(f"shots {_listed(shots)}: {protocol} learns from no labelled anomaly; use few-shot")
    return Tables(protocol, max_rows)


def _checked(shots: Sequence[int]) -> tuple[int, ...]:
    if not shots or min(shots) < 1 or len(set(shots)) < len(shots):
        raise InputError(f"shots {_listed(shots)}: give different whole numbers above 0, such as {_listed(SHOTS)}")
    return tuple(sorted(shots))


def _listed(shots: Sequence[int]) -> str:
    return ",".join(map(str, shots))
