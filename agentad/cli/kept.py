"""`runs`: what was done before."""

from __future__ import annotations

from typing import Annotated

import typer

from agentad.cli import output
from agentad.cli.options import Json
from agentad.cli.planning import show
from agentad.errors import InputError

runs = typer.Typer(no_args_is_help=True, help="Runs done before.")
Name = Annotated[str, typer.Argument(help="A run's name or folder.")]


@runs.command("list")
def runs_list(as_json: Json = False) -> None:
    """List runs, oldest first."""
    from agentad.store.runs import all_runs

    rows = []
    for run in all_runs():
        try:
            request = run.request().request
        except InputError:
            rows.append((run.name, "damaged", "", ""))
            continue
        state = "finished" if (run.path / "report.json").is_file() else "unfinished"
        rows.append((run.name, state, request.text, request.data))
    if as_json:
        output.document([dict(zip(("run", "state", "request", "data"), row, strict=True)) for row in rows])
    else:
        output.table(("run", "state", "request", "data"), rows)


@runs.command("show")
def runs_show(name: Name, as_json: Json = False) -> None:
    """Show what a run found."""
    from agentad import api

    show(api.report(name), as_json)


@runs.command("resume")
def runs_resume(name: Name, as_json: Json = False) -> None:
    """Finish a run that was interrupted."""
    from agentad import api

    with output.progress() as progress:
        report = api.resume(name, progress=progress)
    show(report, as_json)


@runs.command("rm")
def runs_rm(name: Name, as_json: Json = False) -> None:
    """Delete a run and its detector."""
    from agentad.store.runs import find_run, runs_root

    run = find_run(name)
    if run.path.parent != runs_root() or run.name != name.rstrip("/").rpartition("/")[2]:
        raise InputError(f"{name}: only a run in {runs_root()} is removed, and only by its full name")
    with run.held():
        run.remove()
    if as_json:
        output.document({"removed": run.name})
    else:
        output.line(f"Removed {run.name}.")
