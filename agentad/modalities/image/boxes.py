"""Ground truth as boxes: `boxes.csv` beside the images, with the columns `id, x1, y1, x2, y2` and maybe `type`.

`id` is an image's path, its name, or what an image and its template have in common (`7` for `7_test.png`). Boxes are
pixels, the right and lower ends exclusive. The file lists every defect: an image it does not name has none.
"""

from __future__ import annotations

import csv
import hashlib
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from agentad.modalities.image.pairs import pair_stem
from agentad.modalities.shown import shown

FILE = "boxes.csv"
COLUMNS = ("id", "x1", "y1", "x2", "y2")
MAX_BYTES = 64 << 20
SEVERAL = "several types"
"""Kind of an item whose boxes are of more than one type."""


class Box(NamedTuple):
    """One defect: left, top, right, bottom in pixels, right and bottom exclusive."""

    x1: int
    y1: int
    x2: int
    y2: int
    type: str = ""


class BadBoxes(ValueError):
    """A file of boxes that cannot be used, and why."""


class BoxFile(NamedTuple):
    """What a file of boxes says."""

    boxes: Mapping[str, tuple[Box, ...]]
    """By the file's own ids."""
    digest: str


def read_boxes(path: Path) -> BoxFile:
    """Every box in the file.

    Raises:
        BadBoxes: names the line and the value. Half a ground truth would count defects as normal, so none is kept.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise BadBoxes(f"larger than {MAX_BYTES >> 20} MiB; ground truth left out")
        data = path.read_bytes()
        text = data.decode("utf-8-sig")
    except OSError as problem:
        raise BadBoxes(f"{problem.strerror}; ground truth left out") from problem
    except UnicodeDecodeError as problem:
        raise BadBoxes("not UTF-8 text; ground truth left out") from problem
    rows = csv.DictReader(text.splitlines(), restkey="")
    missing = [name for name in COLUMNS if name not in (rows.fieldnames or ())]
    if missing:
        raise BadBoxes(f"no column {', '.join(missing)} (it needs {', '.join(COLUMNS)}); ground truth left out")
    found: dict[str, list[Box]] = defaultdict(list)
    try:
        for row in rows:
            found[str(row["id"]).strip()].append(_box(row, rows.line_num))
    except csv.Error as problem:
        raise BadBoxes(f"line {rows.line_num}: {problem}; ground truth left out") from problem
    return BoxFile({id: tuple(boxes) for id, boxes in found.items()}, hashlib.sha256(data).hexdigest())


def _box(row: Mapping[str, str | None], line: int) -> Box:
    ends = []
    for name in COLUMNS[1:]:
        try:
            value = float(row[name] or "")
        except ValueError:
            value = math.nan
        if not abs(value) < 1e6:
            raise BadBoxes(f"line {line}: {name} is {shown(str(row[name]), 40)}, not a pixel; ground truth left out")
        ends.append(round(value))
    x1, y1, x2, y2 = ends
    if x2 <= x1 or y2 <= y1:
        raise BadBoxes(f"line {line}: the box {x1},{y1},{x2},{y2} is empty; ground truth left out")
    return Box(x1, y1, x2, y2, (row.get("type") or "").strip())


def assign(file: BoxFile, ids: Sequence[str]) -> tuple[list[tuple[Box, ...]], int]:
    """The boxes of each image of `ids` (paths with forward slashes), and how many of the file's ids name no image.

    An id that fits several images is used by none.
    """
    names: dict[str, list[int]] = defaultdict(list)
    for i, id in enumerate(ids):
        stem = id.rpartition("/")[2].rpartition(".")[0] or id
        for name in dict.fromkeys((id, id.rpartition("/")[2], id.rpartition(".")[0], stem, pair_stem(stem))):
            names[name].append(i)
    own: list[tuple[Box, ...]] = [()] * len(ids)
    unused = 0
    for name, boxes in file.boxes.items():
        fitting = names.get(name, [])
        if len(fitting) == 1:
            own[fitting[0]] += boxes
        else:
            unused += 1
    return own, unused


def kind_of(boxes: Sequence[Box]) -> str:
    """The type of an item with these boxes: theirs if they have one in common."""
    types = {box.type for box in boxes}
    return types.pop() if len(types) == 1 else SEVERAL if types else ""


def fill(boxes: Sequence[Box], size: tuple[int, int]) -> NDArray[np.bool_]:
    """The boxes as a mask (H, W) of an image of `size` (W, H); what lies outside is cut off."""
    mask = np.zeros(size[::-1], dtype=np.bool_)
    for box in boxes:
        mask[max(box.y1, 0) : max(box.y2, 0), max(box.x1, 0) : max(box.x2, 0)] = True
    return mask
