"""`bench`: detectors and baselines over folders of data sets."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from agentad.cli import output
from agentad.cli.options import Json
from agentad.errors import InputError

bench = typer.Typer(no_args_is_help=True, help="Measure detectors and baselines over folders of data sets.")

Root = Annotated[Path, typer.Option("--data", help="Folder of data sets.", show_default=False)]
Roots = Annotated[
    list[Path],
    typer.Option("--data", help="Folder of categories, or one category; may be repeated.", show_default=False),
]
Seeds = Annotated[int, typer.Option(min=1, help="How many seeds, from 0.")]
Detectors = Annotated[str, typer.Option(help="`default` (what the rules choose), tools such as a,b, or `all`.")]
Out = Annotated[Path | None, typer.Option("--out", help="JSONL file that keeps finished rows, to go on from.")]


class Protocol(StrEnum):
    """What the methods may learn from."""

    semi = "semi"
    contaminated = "contaminated"
    few_shot = "few-shot"


class Gated(StrEnum):
    """What a round has to improve."""

    auroc = "auroc"
    ap = "ap"
    pixel_ap = "pixel_ap"


@bench.command("tables")
def bench_tables(
    data: Root,
    protocol: Annotated[
        Protocol,
        typer.Option(
            help="semi: half of the normal rows to learn from; contaminated: all rows, no labels; few-shot: as semi, "
            "and a few anomalies."
        ),
    ] = Protocol.semi,
    shots: Annotated[
        str | None, typer.Option(help="few-shot: how many anomalies to learn from, such as 1,5,10 (the default).")
    ] = None,
    seeds: Seeds = 1,
    detectors: Detectors = "default",
    max_rows: Annotated[int, typer.Option(min=2, help="Longer tables are thinned to about this many rows.")] = 50_000,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Measure on labelled tables: every .npz, CSV and Parquet file of a folder."""
    from agentad import bench

    with output.progress() as progress:
        found = bench.bench_tables(
            data,
            protocol=protocol.value,
            shots=None if shots is None else _whole_numbers("shots", shots),
            seeds=seeds,
            detectors=detectors,
            max_rows=max_rows,
            out=out,
            progress=progress,
        )
    if protocol is Protocol.few_shot:
        _show(
            found, ("ap", "auroc"), ("invent_s", "head_s", "fit_s", "score_s"), as_json, ("few-real", "gaussian-rows")
        )
    else:
        _show(found, ("auroc", "ap"), ("fit_s", "score_s"), as_json)


@bench.command("images")
def bench_images(
    data: Roots,
    seeds: Seeds = 1,
    detectors: Detectors = "default",
    aupro_limit: Annotated[
        float, typer.Option(help="Highest pixel false-positive rate that AUPRO looks at, above 0, at most 1.")
    ] = 0.3,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Measure on image categories in MVTec's layout: every folder with train and test, at most three folders deep."""
    from agentad import bench

    with output.progress() as progress:
        found = bench.bench_images(
            data, seeds=seeds, detectors=detectors, aupro_limit=aupro_limit, out=out, progress=progress
        )
    categories = ("image_auroc", "pixel_ap", "aupro", "macro_image_auroc", "macro_pixel_ap")
    pairs = ("pixel_ap", "aupro", "box_f1")
    shown = pairs if "box_f1" in found["summary"][0] else categories
    _show(found, shown, ("fit_s", "ms_per_image", "peak_mb"), as_json, ("memory-bank", "memory-bank-coreset"))


@bench.command("loop")
def bench_loop(
    data: Annotated[
        list[Path],
        typer.Option("--data", help="Folder of image categories or of tables; may be repeated.", show_default=False),
    ],
    shots: Annotated[str, typer.Option(help="Anomalies of each type to learn from, such as 5, or 1,5,10.")] = "5",
    seeds: Seeds = 1,
    configurations: Annotated[
        str,
        typer.Option(
            help="unsupervised, few-real, paste, loop, loop:STRATEGY and generators, separated by commas; a generator "
            "or paste may end in -unverified. `default` is the first four."
        ),
    ] = "default",
    rounds: Annotated[int, typer.Option(min=1, max=20, help="Rounds of the loop, at most.")] = 3,
    count: Annotated[int, typer.Option(min=1, help="Invented items of one lot.")] = 100,
    metric: Annotated[
        Gated | None, typer.Option(help="What the gate goes by; else pixel_ap for images and ap for tables.")
    ] = None,
    max_rows: Annotated[int, typer.Option(min=2, help="Longer tables are thinned to about this many rows.")] = 50_000,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Measure what few real anomalies, invented ones and the loop with its gate add to the detector."""
    from agentad import bench

    with output.progress() as progress:
        found = bench.bench_loop(
            data,
            shots=_whole_numbers("shots", shots),
            seeds=seeds,
            configurations=configurations,
            rounds=rounds,
            count=count,
            metric=None if metric is None else metric.value,
            max_rows=max_rows,
            out=out,
            progress=progress,
        )
    if as_json:
        output.document(found)
        return
    metrics = [name for name in ("image_auroc", "pixel_ap", "aupro", "ap", "auroc") if name in found["summary"][0]]
    against = [name for name in ("unsupervised", "few-real", "paste") if name in _configurations(found)]
    rows = [
        (
            entry["configuration"],
            str(entry["shots"]),
            *(_number(entry[name], 3) for name in metrics),
            _number(entry["cpu_s"], 0),
            "yes" if entry["diffusion"] else "no",
            *(_difference(entry["against"].get(name, {}).get(metrics[0])) for name in against),
        )
        for entry in found["summary"]
    ]
    output.table(
        ("configuration", "shots", *metrics, "cpu_s", "diffusion", *(f"against {name}" for name in against)), rows
    )
    output.line(f"`against`: difference of {metrics[0]}, and the p of: {found['test']}.")
    _tell_failures(found, "configuration")


@bench.command("gate")
def bench_gate(
    trials: Annotated[int, typer.Option(min=1, help="Simulated runs for each world and number of items.")] = 100,
    anomalies: Annotated[str, typer.Option(help="How many real anomalies there are, such as 5,10.")] = "3,5,10,25",
    normals: Annotated[str, typer.Option(help="How many normal items, such as 40,200.")] = "40",
    metric: Annotated[str, typer.Option(help="auroc, ap, pixel_auroc, pixel_ap or aupro.")] = "auroc",
    rounds: Annotated[int, typer.Option(min=1, help="Candidates that each run tries; they share the level.")] = 1,
    worlds: Annotated[str, typer.Option(help="Which worlds, such as two-looks,sharper; all without it.")] = "",
    seed: Annotated[int, typer.Option(min=0, help="Of the simulation.")] = 0,
    as_json: Json = False,
) -> None:
    """Measure how often the gate adopts what is no better, and what is, in simulated worlds where that is known."""
    from agentad import bench

    found = bench.bench_gate(
        trials=trials,
        anomalies=_whole_numbers("anomalies", anomalies),
        normals=_whole_numbers("normals", normals),
        metric=metric,
        rounds=rounds,
        worlds=tuple(name for name in worlds.split(",") if name),
        seed=seed,
    )
    if as_json:
        output.document(found)
        return
    counts = list(dict.fromkeys((row["normals"], row["anomalies"]) for row in found["rows"]))
    shares = {(row["world"], row["normals"], row["anomalies"]): row["adopted"] for row in found["rows"]}
    output.table(
        ("world", "truth", *(f"{m} of {m + n}" for n, m in counts)),
        [
            (entry["world"], entry["truth"], *(_number(shares[entry["world"], n, m], 3) for n, m in counts))
            for entry in found["summary"]
        ],
    )
    output.line(f"Share of {trials} runs in which a candidate was adopted, by how many of the items are anomalies.")
    output.line(f"At most {found['rows'][0]['level']:.2f} of the useless ones should be.")


def _whole_numbers(option: str, text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise InputError(f"{option} {text!r}: give whole numbers such as 1,5,10") from error


def _show(
    found: dict[str, Any],
    metrics: tuple[str, ...],
    costs: tuple[str, ...],
    as_json: bool,
    against: tuple[str, ...] = (),
) -> None:
    """Print the document, or its summary for people; `against` names baselines, else the best and the nearest one."""
    if as_json:
        output.document(found)
        return
    against = tuple(
        name for name in against or dict.fromkeys((found["best_baseline"], "knn1")) if name in _names(found)
    )
    who = [name for name in ("detector", "shots") if name in found["summary"][0]]
    headings = (*who, *metrics, "rank", *costs, "diffusion", *(f"against {name}" for name in against))
    rows = [
        (
            *(str(entry[name]) for name in who),
            *(_number(entry[name], 3) for name in metrics),
            _number(entry["rank"], 1),
            *(_number(entry[name], 1) for name in costs),
            "yes" if entry["diffusion"] else "no",
            *(_record(entry["wins_vs"].get(name)) for name in against),
        )
        for entry in found["summary"]
    ]
    output.table(headings, rows)
    output.line("Costs are CPU time. `against`: won-tied-lost, and the p of Wilcoxon's signed-rank test.")
    if "ms_per_image" in costs:
        output.line("An image's time holds reading, encoding and scoring; peak_mb is the whole process's memory.")
    _tell_failures(found, "detector")


def _tell_failures(found: dict[str, Any], called: str) -> None:
    """What failed and what was skipped, and where the rows are."""
    for (dataset, error), detectors in _failures(found["rows"], called).items():
        output.line(f"Failed: {dataset} ({', '.join(detectors)}): {error}")
    for skip in found["skipped"]:
        output.line(f"Skipped: {skip['path']} ({skip['reason']})")
    output.line(f"Rows: {found['kept']}")


def _failures(rows: list[dict[str, Any]], called: str) -> dict[tuple[str, str], list[str]]:
    """Which methods, as `called` in a row, failed, by data set and reason."""
    found: dict[tuple[str, str], dict[str, None]] = {}
    for row in rows:
        if "error" in row:
            found.setdefault((row["dataset"], row["error"]), {})[row[called]] = None
    return {key: list(detectors) for key, detectors in found.items()}


def _configurations(found: dict[str, Any]) -> set[str]:
    return {entry["configuration"] for entry in found["summary"]}


def _difference(against: dict[str, Any] | None) -> str:
    if against is None or against["difference"] is None:
        return "-"
    return f"{against['difference']:+.4f} p {_number(against['p'], 3)}"


def _names(found: dict[str, Any]) -> set[str]:
    return {entry["detector"] for entry in found["summary"]}


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _record(against: dict[str, Any] | None) -> str:
    if against is None:
        return "-"
    return f"{against['wins']}-{against['ties']}-{against['losses']} p {_number(against['p'], 3)}"
