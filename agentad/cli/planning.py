"""`run`, `plan` and `recipe`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from agentad import assets
from agentad.cli import output
from agentad.cli.options import Data, Exclude, Fresh, Json, Planner, Seed, TargetFar
from agentad.errors import BudgetSpent, InputError
from agentad.flow import Report

RequestText = Annotated[str, typer.Argument(metavar="REQUEST", help='What you need, such as "find the bad parts".')]


def run(
    request: RequestText,
    data: Data,
    planner: Planner = "auto",
    exclude: Exclude = None,
    target_far: TargetFar = None,
    seed: Seed = 0,
    fresh: Fresh = False,
    as_json: Json = False,
) -> None:
    """Plan what REQUEST needs, do it, and write a report."""
    from agentad import api

    with output.progress() as progress:
        report = api.run(
            request,
            data=data,
            planner=planner,
            exclude=exclude or (),
            target_far=target_far,
            seed=seed,
            fresh=fresh,
            progress=progress,
        )
    show(report, as_json)


def plan(
    request: RequestText,
    data: Data,
    out: Annotated[Path | None, typer.Option("-o", "--output", help="Write the plan to this file.")] = None,
    planner: Planner = "auto",
    exclude: Exclude = None,
    target_far: TargetFar = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Show what `run` would do, and run nothing."""
    from agentad import api
    from agentad.planning.recipes import dump_plan
    from agentad.store.atomic import write_text

    if out is not None and (not out.name or out.is_dir() or not out.parent.is_dir()):
        raise InputError(
            f"{out}: cannot be written: it is a folder, or its folder does not exist; give another with -o"
        )
    with output.progress() as progress:
        decided = api.plan(
            request,
            data=data,
            planner=planner,
            exclude=exclude or (),
            target_far=target_far,
            seed=seed,
            record=out and out.with_suffix(".exchanges.jsonl"),
            progress=progress,
        )
    if out is not None:
        write_text(out, dump_plan(decided))
    if as_json:
        output.document(decided.model_dump(mode="json"))
    elif out is None:
        output.line(dump_plan(decided).rstrip())
    else:
        output.line(f"Plan written to {out}. Run it with: agentad recipe run {out} --data {data}")


recipe = typer.Typer(no_args_is_help=True, help="Plans with holes, one per job people have.")


@recipe.command("list")
def recipe_list(as_json: Json = False) -> None:
    """List the recipes there are."""
    from agentad.planning.recipes import describe

    found = {name: describe(path) for name, path in assets.listing("recipes", ".yaml").items()}
    if as_json:
        output.document(found)
    else:
        output.table(("recipe", "for"), list(found.items()))


@recipe.command("show")
def recipe_show(name: str, as_json: Json = False) -> None:
    """Print a recipe."""
    text = assets.read("recipes", f"{name}.yaml")
    if as_json:
        output.document({"name": name, "text": text})
    else:
        output.line(text.rstrip())


@recipe.command("run")
def recipe_run(
    name: Annotated[str, typer.Argument(help="A recipe's name, or the path of a plan.")],
    data: Data,
    settings: Annotated[list[str] | None, typer.Option("--set", help="Replace a field: a.b=c. Repeatable.")] = None,
    exclude: Exclude = None,
    fresh: Fresh = False,
    as_json: Json = False,
) -> None:
    """Follow a recipe or a plan. No language model takes part."""
    from agentad import api

    replaced = dict(assignment(text) for text in settings or ())
    with output.progress() as progress:
        report = api.run_plan(name, data=data, settings=replaced, exclude=exclude or (), fresh=fresh, progress=progress)
    show(report, as_json)


def assignment(text: str) -> tuple[str, str]:
    """Field and value of a `--set`."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise InputError(f"--set {text!r}: give a field and a value, such as detector.params.sigma=1.0")
    return name, value


def show(report: Report, as_json: bool) -> None:
    """Print what a run found."""
    from agentad.report.summary import summary_lines

    if as_json:
        output.document(report.model_dump(mode="json"))
    else:
        for text in summary_lines(report):
            output.line(text)
    if report.budget_spent:
        raise typer.Exit(BudgetSpent.exit_code)
