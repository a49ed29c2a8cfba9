"""`generate`, `stress` and `watch`: anomalies that somebody needs, and detectors that grow with their data."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from agentad.cli import output
from agentad.cli.options import Data, Exclude, Json, Seed
from agentad.cli.planning import assignment
from agentad.flow import Stress

Run = Annotated[str, typer.Argument(help="A finished run's name or folder.")]
Generator = Annotated[
    str | None, typer.Option("--generator", help="A generator's name; by default the plan's, or the rules' choice.")
]


class Layout(StrEnum):
    """How images are laid out."""

    plain = "plain"
    mvtec = "mvtec"


def generate(
    run: Run,
    count: Annotated[int, typer.Option("--count", help="How many.", min=1)],
    out: Annotated[Path, typer.Option("--out", help="Folder for them; an earlier batch in it is replaced.")],
    condition: Annotated[
        list[str] | None,
        typer.Option(
            "--condition",
            help="What each has to be. Images: type=, shape=, size=0.01..0.05, place=, strength=, text=. Rows: "
            '"amount above 1000". Repeatable.',
        ),
    ] = None,
    layout: Annotated[Layout, typer.Option("--layout", help="Of images.")] = Layout.plain,
    generator: Generator = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Invent more anomalies from a finished run: images with masks, or rows, with where each comes from."""
    from agentad import api

    with output.progress() as progress:
        found = api.generate(
            run,
            count=count,
            out=out,
            conditions=condition or (),
            layout=layout.value,
            generator=generator,
            seed=seed,
            progress=progress,
        )
    if as_json:
        output.document(found.model_dump(mode="json"))
        return
    output.line(f"{found.made} made with {found.generator.tool}.")
    if found.rejected:
        output.line(f"Rejected and made anew or dropped: {', '.join(f'{n} {k}' for n, k in found.rejected.items())}.")
    for note in found.notes:
        output.line(f"Note: {note}")
    output.line(f"Written to {found.dir}")


def stress(
    run: Run,
    count: Annotated[int, typer.Option("--count", help="Of each size, place and strength.", min=1)] = 10,
    generator: Generator = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Try a finished run's detector on invented anomalies of every size, place and strength."""
    from agentad import api

    with output.progress() as progress:
        found = api.stress(run, count=count, generator=generator, seed=seed, progress=progress)
    if as_json:
        output.document(found.model_dump(mode="json"))
    else:
        _show_stress(found)


def _show_stress(found: Stress) -> None:
    sizes = {name: f"{name} ({100 * low:g}-{100 * high:g} % of the image)" for name, (low, high) in found.sizes.items()}
    rows = []
    for cell in found.cells:
        ends = "" if cell.interval is None else f"{100 * cell.interval[0]:.0f}-{100 * cell.interval[1]:.0f} %"
        rows.append((sizes[cell.size], cell.place, cell.strength, f"{cell.found} of {cell.made}", ends))
    output.table(("size", "place", "strength", "found", "95 % interval"), rows)
    output.line(f"Of the same {found.normals} normal images unchanged, {found.flagged_normals} are flagged.")
    for note in found.notes:
        output.line(f"Note: {note}")


def watch(
    data: Data,
    publish: Annotated[Path, typer.Option("--publish", help="Folder in which the detector in use is `detector`.")],
    recipe: Annotated[
        str, typer.Option("--recipe", help="How detectors are made: a recipe or plan.")
    ] = "data-scarcity",
    every: Annotated[float, typer.Option("--every", help="Seconds between looks.", min=0.1)] = 60.0,
    settle: Annotated[float, typer.Option("--settle", help="Seconds nothing may change before a round.", min=0)] = 5.0,
    once: Annotated[bool, typer.Option("--once", help="Look once and stop, as from cron.")] = False,
    settings: Annotated[list[str] | None, typer.Option("--set", help="Replace a field: a.b=c. Repeatable.")] = None,
    exclude: Exclude = None,
    as_json: Json = False,
) -> None:
    """Make a new detector when normals or labelled anomalies arrive; publish it only if it is shown to be better."""
    from agentad import scarcity

    def tell(look: scarcity.Look) -> None:
        sys.stderr.write(f"{look.state}: {look.why}\n")
        sys.stderr.flush()

    with output.progress() as progress:
        found = scarcity.watch(
            data,
            publish=publish,
            recipe=recipe,
            settings=dict(assignment(text) for text in settings or ()),
            exclude=exclude or (),
            every=every,
            settle=settle,
            once=once,
            tell=tell,
            progress=progress,
        )
    if as_json:
        output.document(found.model_dump(mode="json"))
    else:
        output.line(f"{found.state}: {found.why}")
        if found.detector:
            output.line(f"Detector  {found.detector}")
