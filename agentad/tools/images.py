"""The road for images."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from agentad.backbones.encoder import PatchEncoder
from agentad.detectors.base import Floats, Scores
from agentad.flow import Evidence, Modality, RegionEvidence
from agentad.modalities.image import ImageData, open_images
from agentad.modalities.image import recognise as recognise_images
from agentad.modalities.image.maps import map_to_bytes, regions, upsample
from agentad.store.atomic import write_bytes
from agentad.tools.road import Batch, Indices

if TYPE_CHECKING:
    from agentad.tools.fitted import FittedDetector

MODALITY: Modality = "image"
FIT_ITEMS = 2_000
BATCH = 8
REGIONS = 3
"""Regions reported per image, highest peak first."""

look = open_images
recognise = recognise_images


def fit_encoder(encoder: PatchEncoder, data: ImageData, index: Indices) -> PatchEncoder:
    """Pretrained: nothing to learn."""
    return encoder


def batches(encoder: PatchEncoder, data: ImageData, index: Indices) -> Iterator[Batch]:
    """A few images at a time."""
    for start in range(0, len(index), BATCH):
        part = index[start : start + BATCH]
        raw = [data.read(int(i)) for i in part]
        yield Batch(part, raw, encoder.encode(raw))


def save_encoder(encoder: PatchEncoder, folder: Path) -> None:
    """Weights and settings."""
    encoder.save(folder)


def load_encoder(kind: type[PatchEncoder], folder: Path) -> PatchEncoder:
    """What `save_encoder` wrote."""
    return kind.load(folder)


def evidence(fitted: FittedDetector, data: ImageData, batch: Batch, scores: Scores) -> Sequence[tuple[Evidence, ...]]:
    """The regions that stand out, and the normal patch nearest to each one's peak."""
    if scores.local is None:
        return [()] * len(batch.index)
    nearest = fitted.scorer.nearest(batch.x) if hasattr(fitted.scorer, "nearest") else None
    found: list[tuple[Evidence, ...]] = []
    for at, image in enumerate(batch.raw):
        height, width = image.shape[:2]
        rows, columns = scores.local.shape[1:]
        pixels = upsample(scores.local[at], (width, height))
        own = []
        for region in regions(pixels, min(fitted.local_level, float(pixels.max()) * (1 - 1e-6)))[:REGIONS]:
            x, y = region.peak_at
            cell = (at, min(y * rows // height, rows - 1), min(x * columns // width, columns - 1))
            neighbour = None if nearest is None else fitted.train_ids[int(nearest.item[cell])]
            if neighbour == str(data.items.id[batch.index[at]]):
                neighbour = None  # a training image is its own nearest normal, which says nothing
            place = None if neighbour is None or nearest is None else divmod(int(nearest.cell[cell]), columns)
            own.append(
                RegionEvidence(
                    box=region.box,
                    area=region.area,
                    peak=region.peak,
                    neighbour=neighbour,
                    neighbour_cell=place and (place[1] / columns, place[0] / rows, 1 / columns, 1 / rows),
                )
            )
        found.append(tuple(own))
    return found


def write_maps(data: ImageData, batch: Batch, scores: Scores, folder: Path) -> dict[int, str]:
    """Float32 TIFFs, one per image."""
    if scores.local is None:
        return {}
    (folder / "maps").mkdir(exist_ok=True)
    written = {}
    for at, i in enumerate(batch.index.tolist()):
        height, width = batch.raw[at].shape[:2]
        slug = re.sub(r"[^A-Za-z0-9._-]+", "-", str(data.items.id[i]))[-80:].strip("-.")
        written[i] = f"maps/{i:06}-{slug}.tiff"
        write_bytes(folder / written[i], map_to_bytes(upsample(scores.local[at], (width, height))))
    return written


def full_map(data: ImageData, i: int, local: Floats) -> Floats:
    """(H, W) of image `i`."""
    return upsample(local, data.size(i))
