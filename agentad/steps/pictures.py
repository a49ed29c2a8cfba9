"""What the page shows of single items: pictures of images, values of rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from agentad.detectors.base import Floats
from agentad.flow import Modality, RegionEvidence, ScoredItem
from agentad.modalities.image import ImageData, draw
from agentad.modalities.image.maps import upsample
from agentad.modalities.table import TableData
from agentad.report.exhibits import Picture
from agentad.tools.fitted import FittedDetector

PICTURE, SAMPLE = 320, 160
"""Longer sides in pixels."""
SAMPLES = 8

Wanted = Mapping[int, ScoredItem]
"""Items by their position among the data's items."""


def exhibits(fitted: FittedDetector, data: Any, wanted: Wanted, local: Mapping[int, Floats]) -> dict[str, Any]:
    """Fields of `report.exhibits.Exhibits` for the `wanted` items; `local` holds the local scores (h, w) of images."""
    return _EXHIBITS[fitted.plan.modality](fitted, data, wanted, local)


def _table_exhibits(
    fitted: FittedDetector, data: TableData, wanted: Wanted, local: Mapping[int, Floats]
) -> dict[str, Any]:
    index = np.array(sorted(wanted), dtype=np.int64)
    frame = data.take(index)
    names = list(dict.fromkeys(fitted.encoder.columns))
    rows = {
        wanted[i].id: {name: fitted.encoder.actual(frame, row, name) for name in names}
        for row, i in enumerate(index.tolist())
    }
    return {"rows": rows}


def _image_exhibits(
    fitted: FittedDetector, data: ImageData, wanted: Wanted, local: Mapping[int, Floats]
) -> dict[str, Any]:
    place = {str(name): i for i, name in enumerate(data.items.id)}
    panels = {item.id: tuple(_panel(data, i, item, local[i], fitted.local_level, place)) for i, item in wanted.items()}
    samples = [int(i) for i in np.linspace(0, len(data.items) - 1, min(SAMPLES, len(data.items)))]
    return {
        "panels": panels,
        "sizes": {item.id: data.size(i) for i, item in wanted.items()},
        "samples": tuple(_picture(data.read(i), f"{data.items.id[i]} as it came", side=SAMPLE) for i in samples),
    }


def _panel(
    data: ImageData, i: int, item: ScoredItem, local: Floats, level: float, place: Mapping[str, int]
) -> Iterator[Picture]:
    image = data.read(i)
    pixels = upsample(local, data.size(i))
    found = [e for e in item.evidence if isinstance(e, RegionEvidence)]
    yield _picture(image, f"{item.id}, original", "original")
    peak = float(pixels.max())
    heat = draw.heatmap(image, pixels, max(level, peak / 3), max(peak, level))  # its own scale: where, not how bad
    drawn = draw.outline(heat, boxes=[e.box for e in found])
    yield _picture(drawn, f"{item.id} with its local scores; {len(found)} region(s) outlined", "local scores")
    mask = data.mask(i)
    if mask is not None and mask.any():
        yield _picture(draw.outline(image, mask), f"{item.id} with its true mask outlined", "truth")
    for e in found[:1]:
        if e.neighbour is not None and e.neighbour in place and e.neighbour_cell is not None:
            yield _crop(image, e.peak_at, f"{item.id} around the peak", "around the peak")
            other = data.read(place[e.neighbour])
            height, width = other.shape[:2]
            x, y, w, h = e.neighbour_cell
            centre = (int((x + w / 2) * width), int((y + h / 2) * height))
            yield _crop(other, centre, f"nearest normal patch, in {e.neighbour}", "nearest normal")


def _picture(image: Any, alt: str, caption: str = "", side: int = PICTURE) -> Picture:
    return Picture(draw.jpeg_bytes(draw.thumbnail(image, side)), alt, caption)


def _crop(image: Any, centre: tuple[int, int], alt: str, caption: str) -> Picture:
    height, width = image.shape[:2]
    half = max(16, min(height, width) // 6)
    x = min(max(centre[0], half), max(width - half, half))
    y = min(max(centre[1], half), max(height - half, half))
    return _picture(image[max(y - half, 0) : y + half, max(x - half, 0) : x + half], alt, caption)


_EXHIBITS: dict[Modality, Callable[[FittedDetector, Any, Wanted, Mapping[int, Floats]], dict[str, Any]]] = {
    "table": _table_exhibits,
    "image": _image_exhibits,
}
