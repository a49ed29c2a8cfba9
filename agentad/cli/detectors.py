"""`detect`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from agentad.cli import output
from agentad.cli.options import Data, Json


def detect(
    detector: Annotated[str, typer.Argument(help="A run's name, a run folder, or a detector folder.")],
    data: Data,
    out: Annotated[Path | None, typer.Option("--out", help="Folder for scores.jsonl and maps.")] = None,
    as_json: Json = False,
) -> None:
    """Score new data with a finished detector."""
    from agentad import api

    with output.progress() as progress:
        found = api.detect(detector, data=data, out=out, progress=progress)
    if as_json:
        plain = {name: getattr(found, name) for name in ("detector", "dir", "scores", "items", "flagged", "n_skipped")}
        skipped = [skip.model_dump() for skip in found.skipped]
        output.document({**plain, "threshold": found.threshold.model_dump(mode="json"), "skipped": skipped})
        return
    output.line(f"{found.flagged} of {found.items} items flagged (score above {found.threshold.value:.4g}).")
    if found.skipped:
        output.line(f"{found.n_skipped} skipped: {found.skipped[0].path} ({found.skipped[0].reason})")
    output.line(f"Scores: {found.scores}")
