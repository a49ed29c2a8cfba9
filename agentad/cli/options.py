"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Data = Annotated[Path, typer.Option("--data", help="File or folder with the data.", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output.")]
Planner = Annotated[
    str,
    typer.Option(
        help="auto, rules, replay:FILE, a LangChain model id (openai:…, anthropic:…, ollama:…) or a server's URL."
    ),
]
Exclude = Annotated[list[str] | None, typer.Option("--exclude", help="A tool that must not be used. Repeatable.")]
TargetFar = Annotated[
    float | None, typer.Option("--target-far", help="Share of normal items that may be flagged, such as 0.01.")
]
Seed = Annotated[int, typer.Option(help="Seed of every random choice.")]
Fresh = Annotated[bool, typer.Option("--fresh", help="Start over instead of reusing an earlier run of the same thing.")]
