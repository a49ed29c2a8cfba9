"""What the page shows of single items: pictures of images, values of rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from agentad.detectors.base import Floats
from agentad.flow import Modality, RegionEvidence, ScoredItem
from agentad.modalities.image import ImageData, draw
from agentad.modalities.image.draw import Pixels
from agentad.modalities.image.maps import upsample
from agentad.modalities.table import TableData
from agentad.report.exhibits import Outline, Picture
from agentad.report.text import count
from agentad.report.words import doubtful
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
    restored = _reconstructions(fitted, data, sorted(wanted))
    panels, tiles = {}, {}
    for i, item in wanted.items():
        shown = _Shown.of(data, i, item, local[i], fitted.local_level)
        panels[item.id] = tuple(_panel(data, i, shown, restored.get(i), place))
        tiles[item.id] = shown.tile()
    samples = [int(i) for i in np.linspace(0, len(data.items) - 1, min(SAMPLES, len(data.items)))]
    return {
        "panels": panels,
        "tiles": tiles,
        "sizes": {item.id: data.size(i) for i, item in wanted.items()},
        "samples": tuple(_picture(data.read(i), f"{data.items.id[i]} as it came", side=SAMPLE) for i in samples),
    }


def _reconstructions(fitted: FittedDetector, data: ImageData, index: Sequence[int]) -> dict[int, Pixels]:
    """The images at `index` as a detector that has `reconstruct` would have them normal; none of other detectors.

    `reconstruct` takes encoded images (n, h, w, c) and gives pixels (n, height, width, 3) from 0 to 1.
    """
    if not hasattr(fitted.scorer, "reconstruct") or not index:
        return {}
    found: dict[int, Pixels] = {}
    for batch in fitted.road.batches(fitted.encoder, data, np.array(index, dtype=np.int64)):
        made = np.clip(np.rint(255 * np.asarray(fitted.scorer.reconstruct(batch.x), np.float64)), 0, 255)
        found |= dict(zip(batch.index.tolist(), made.astype(np.uint8), strict=True))
    return found


@dataclass(frozen=True)
class _Shown:
    """One image that is shown, with what stands out in it."""

    item: ScoredItem
    image: Pixels
    heat: Pixels
    """The image with its local scores laid over it."""
    regions: list[RegionEvidence]

    @classmethod
    def of(cls, data: ImageData, i: int, item: ScoredItem, local: Floats, level: float) -> Self:
        image = data.read(i)
        pixels = upsample(local, data.size(i))
        peak = float(pixels.max())
        heat = draw.heatmap(image, pixels, max(level, peak / 3), max(peak, level))  # its own scale: where, not how bad
        return cls(item, image, heat, [e for e in item.evidence if isinstance(e, RegionEvidence)])

    @property
    def outlines(self) -> tuple[Outline, ...]:
        height, width = self.image.shape[:2]
        return tuple(Outline(tuple((x / width, y / height) for x, y in _corners(e)), doubtful(e)) for e in self.regions)

    def scores(self) -> Picture:
        said = f"{self.item.id} with its local scores; {count(len(self.regions), 'region')} outlined"
        return replace(_picture(self.heat, said, "local scores"), outlines=self.outlines)

    def tile(self) -> Picture:
        said = f"{self.item.id}; {count(len(self.regions), 'region')} outlined"
        return replace(_picture(self.image, said, side=SAMPLE), outlines=self.outlines)


def _corners(evidence: RegionEvidence) -> Sequence[tuple[float, float]]:
    """Of the region's outline; of its box in scores that have no outlines."""
    left, top, right, bottom = evidence.box
    return evidence.polygon or ((left, top), (right, top), (right, bottom), (left, bottom))


def _panel(
    data: ImageData, i: int, shown: _Shown, restored: Pixels | None, place: Mapping[str, int]
) -> Iterator[Picture]:
    name, image = shown.item.id, shown.image
    yield _picture(image, f"{name}, original", "original")
    yield shown.scores()
    mask = data.mask(i)
    if mask is not None and mask.any():
        yield _picture(draw.outline(image, mask), f"{name} with its true mask outlined", "truth")
    if restored is not None:
        yield _picture(restored, f"{name} as the detector would have it normal", "reconstruction")
    for e in shown.regions[:1]:
        if e.neighbour is not None and e.neighbour in place and e.neighbour_cell is not None:
            yield _crop(image, e.peak_at, f"{name} around the peak", "around the peak")
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
