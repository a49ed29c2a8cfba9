"""Invented anomalies as somebody who asked for them gets them: files, and a line of `manifest.jsonl` for each.

::

    OUT/                        OUT/ with --layout mvtec             OUT/ of a table
        generated.json              generated.json                       generated.json
        manifest.jsonl              manifest.jsonl                       manifest.jsonl   line by line the rows
        images/00000.png            test/scratch/00000.png               rows.csv or rows.parquet
        masks/00000.png             ground_truth/scratch/00000_mask.png
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np

from agentad.flow import SyntheticImage, SyntheticRow
from agentad.generators.images.base import Mask, Pixels
from agentad.modalities.image import png_bytes
from agentad.modalities.image.layout import NORMAL
from agentad.modalities.table.rows import Rows
from agentad.store.atomic import write_text

NAMELESS = "invented"
"""Folder of anomalies that are of no type."""
_LONGEST = 60


def deliver_images(
    origins: Sequence[SyntheticImage], drawn: Sequence[tuple[Pixels, Mask]], folder: Path, *, mvtec: bool
) -> None:
    """Write images, masks and the manifest, aligned with `origins`, into the empty `folder`."""
    names = folder_names(origin.kind for origin in origins)
    lines = []
    for origin, (image, mask) in zip(origins, drawn, strict=True):
        kind = names[origin.kind]
        paths = (
            (f"test/{kind}/{origin.id}.png", f"ground_truth/{kind}/{origin.id}_mask.png")
            if mvtec
            else (f"images/{origin.id}.png", f"masks/{origin.id}.png")
        )
        for path, pixels in zip(paths, (image, 255 * mask.astype(np.uint8)), strict=True):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(png_bytes(pixels))
        lines.append({"image": paths[0], "mask": paths[1], **origin.model_dump(mode="json")})
    _write_manifest(lines, folder)


def deliver_rows(origins: Sequence[SyntheticRow], parts: Sequence[Rows], folder: Path, *, csv: bool) -> None:
    """Write the rows, with the columns of the real table, and the manifest into the empty `folder`."""
    frame = reduce(Rows.joined, parts).frame
    name = "rows.csv" if csv else "rows.parquet"
    (frame.write_csv if csv else frame.write_parquet)(folder / name)
    _write_manifest([{"row": i, **origin.model_dump(mode="json")} for i, origin in enumerate(origins)], folder)


def _write_manifest(lines: Sequence[dict[str, Any]], folder: Path) -> None:
    text = "".join(json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n" for line in lines)
    write_text(folder / "manifest.jsonl", text)


def folder_names(kinds: Iterable[str]) -> dict[str, str]:
    """A folder name for each of the `kinds`: safe anywhere, no two alike, none that means normal images."""
    found: dict[str, str] = {}
    for kind in sorted(set(kinds)):
        plain = re.sub(r"[^A-Za-z0-9_-]+", "-", kind).strip("-")[:_LONGEST] or NAMELESS
        if plain.lower() in NORMAL:
            plain = f"not-{plain}"
        taken = {name.lower() for name in found.values()}
        name, number = plain, 2
        while name.lower() in taken:
            name, number = f"{plain}-{number}", number + 1
        found[kind] = name
    return found
