"""`demo`: the main job on data that needs no download."""

from __future__ import annotations

import sys
import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from agentad.cli import output
from agentad.cli.options import Json

TABLE_REQUEST = "which rows look wrong?"
IMAGES_REQUEST = "find the bad parts and show me where they are bad"


def demo(
    as_json: Json = False,
    browser: Annotated[bool, typer.Option(help="Open the reports when a person is watching.")] = True,
) -> None:
    """Find anomalies in a real table and in rendered surfaces, and write two reports."""
    from agentad import api
    from agentad import demo as data
    from agentad.report.summary import summary_lines
    from agentad.store.runs import runs_root

    folder = runs_root() / "demo-data" / data.VERSION
    # kept data has kept times, so that a second demo finds its runs finished
    table = folder / "cells" / "cells.csv"
    surfaces = folder / "surfaces"
    table = table if table.is_file() else data.make_table(table.parent)
    surfaces = surfaces if surfaces.is_dir() else data.make_surfaces(surfaces)
    found = {}
    for name, request, path in (("table", TABLE_REQUEST, table), ("images", IMAGES_REQUEST, surfaces)):
        with output.progress() as progress:
            found[name] = api.run(request, data=path, progress=progress)
        if not as_json:
            _introduce(name, request, path)
            for text in summary_lines(found[name]):
                output.line(text)
            output.line()
    if as_json:
        output.document({name: report.model_dump(mode="json") for name, report in found.items()})
        return
    output.line("Try next:")
    for command in _next(found["images"].run, table, surfaces):
        output.line(f"  {command}")
    if browser and sys.stdout.isatty():
        webbrowser.open(Path(found["images"].report).as_uri())


def _introduce(name: str, request: str, path: Path) -> None:
    what = {
        "table": "A real table: cell nuclei from breast tissue, benign as normal (357), malignant as anomalous (212).",
        "images": "Rendered pictures (not photographs): brushed metal with scratches, pits and stains.",
    }
    output.line(what[name])
    output.line(f'> agentad run "{request}" --data {path}')


def _next(run: str, table: Path, surfaces: Path) -> tuple[str, str, str]:
    return (
        f"agentad detect {run} --data {surfaces / 'test' / 'scratch'}",
        f'agentad plan "find odd rows, 5 % false alarms are fine" --data {table} -o plan.yaml',
        'agentad run "what looks wrong here?" --data YOUR_FILE_OR_FOLDER',
    )
