"""All commands in one tree. Each is thin: options in, one call of `agentad.api`, one document out."""

from __future__ import annotations

import typer

import agentad
from agentad.cli import bench, demo, detectors, kept, machine, making, planning, tools

app = typer.Typer(
    name="agentad",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Find anomalies with diffusion models: say what you need and point at the data.",
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"agentad {agentad.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    """Options before the command."""


app.command("demo")(demo.demo)
app.command("run")(planning.run)
app.command("plan")(planning.plan)
app.add_typer(planning.recipe, name="recipe")
app.command("detect")(detectors.detect)
app.command("export")(detectors.export)
app.command("generate")(making.generate)
app.command("stress")(making.stress)
app.command("watch")(making.watch)
app.add_typer(kept.runs, name="runs")
app.add_typer(tools.tools, name="tools")
app.add_typer(machine.models, name="models")
app.add_typer(bench.bench, name="bench")
app.command("doctor")(machine.doctor)
