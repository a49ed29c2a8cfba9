"""`detect` and `export`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from agentad.cli import output
from agentad.cli.options import Data, Json


class Format(StrEnum):
    """What a detector can be exported to."""

    onnx = "onnx"


def detect(
    detector: Annotated[str, typer.Argument(help="A run's name, a run folder, a detector folder, or an export.")],
    data: Data,
    out: Annotated[Path | None, typer.Option("--out", help="Folder for scores.jsonl and maps.")] = None,
    as_json: Json = False,
) -> None:
    """Score new data with a finished detector."""
    from agentad import api

    with output.progress() as progress:
        found = api.detect(detector, data=data, out=out, progress=progress)
    if as_json:
        names = ("detector", "dir", "scores", "items", "flagged", "n_skipped", "notes")
        plain = {name: getattr(found, name) for name in names}
        skipped = [skip.model_dump() for skip in found.skipped]
        output.document({**plain, "threshold": found.threshold.model_dump(mode="json"), "skipped": skipped})
        return
    output.line(f"{found.flagged} of {found.items} items flagged (score above {found.threshold.value:.4g}).")
    if found.skipped:
        output.line(f"{found.n_skipped} skipped: {found.skipped[0].path} ({found.skipped[0].reason})")
    for note in found.notes:
        output.line(f"Note: {note}")
    output.line(f"Scores: {found.scores}")


def export(
    detector: Annotated[str, typer.Argument(help="A run's name, a run folder, or a detector folder.")],
    folder: Annotated[Path, typer.Argument(help="Where the export is written.", show_default=False)],
    to: Annotated[Format, typer.Option("--to", help="The format.")] = Format.onnx,
    data: Annotated[
        Path | None, typer.Option("--data", help="Real images to compare on; by default those of the run.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Write an image detector as one graph, checked against the detector on real images."""
    from agentad import api

    with output.progress() as progress:
        found = api.export(detector, folder, to=to.value, data=data, progress=progress)
    if as_json:
        output.document(found)
        return
    for text in _parity_lines(found["parity"]):
        output.line(text)
    for note in found["weights"]:
        output.line(f"Weights: {note.get('name')}, {note.get('licence')}")
    output.line(f"Export: {folder}")


def _parity_lines(parity: dict[str, Any]) -> list[str]:
    lines = [
        f"Compared on {parity['images']} images with {parity['reference']}: scores differ by at most "
        f"{parity['largest_difference']:.1g} of their spread."
    ]
    if "as_fitted" in parity:
        kept = parity["as_fitted"]
        lines.append(
            f"With {kept['reference']}: by at most {kept['largest_difference']:.1g}, by {kept['mean_difference']:.1g} "
            f"on average; {kept['flags_that_differ']} of {parity['images']} flags differ. The export computes in "
            "float32 and searches the whole memory; fit with --set encoder.params.dtype=float32 to come nearer to it."
        )
    return lines
