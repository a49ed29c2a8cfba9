"""The road for images."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from agentad.backbones.encoder import PatchEncoder
from agentad.backbones.paired import PairedEncoder
from agentad.detectors.base import Floats, Scores
from agentad.errors import InputError
from agentad.flow import Evidence, Modality, RegionEvidence
from agentad.modalities.image import ImageData, open_images
from agentad.modalities.image import recognise as recognise_images
from agentad.modalities.image.augment import augmented
from agentad.modalities.image.maps import Region, map_to_bytes, regions, upsample
from agentad.modalities.image.maps import peaks as image_peaks
from agentad.modalities.image.pixels import Pixels
from agentad.modalities.image.register import onto
from agentad.tools.road import Batch, Indices

if TYPE_CHECKING:
    from agentad.tools.fitted import FittedDetector

MODALITY: Modality = "image"
FIT_ITEMS = 2_000
FIT_BYTES = 5 << 28
"""Most bytes of features a detector is fitted on, 1.25 GiB: images in many tiles make fewer of them enough."""
BATCH = 8
BATCH_PIXELS = 1 << 24
"""Images beyond these are read one by one."""
REGIONS = 3
"""Regions reported per image, highest peak first."""

look = open_images
recognise = recognise_images
peaks = image_peaks


def fit_encoder(encoder: PatchEncoder, data: ImageData, index: Indices) -> PatchEncoder:
    """Pretrained, so that only the grid of patches has to follow the images: their median shape and size."""
    widths, heights = np.array([data.size(int(i)) for i in index], float).reshape(-1, 2).T
    return encoder.shaped(aspect=float(np.median(widths / heights)), pixels=float(np.median(widths * heights)))


def most(encoder: PatchEncoder) -> int:
    """Images whose features fit into `FIT_BYTES` as float16, at least two."""
    rows, columns = encoder.grid
    return max(2, FIT_BYTES // (2 * rows * columns * encoder.channels))


def blank(encoder: PatchEncoder) -> Floats:
    """(1, rows, columns, channels) zeros."""
    return np.zeros((1, *encoder.grid, encoder.channels), np.float32)


def batches(encoder: PatchEncoder, data: ImageData, index: Indices) -> Iterator[Batch]:
    """A few images at a time, large ones one by one."""
    for part in _parts(data, index):
        raw = [data.read(int(i)) for i in part]
        if isinstance(encoder, PairedEncoder):
            yield Batch(part, raw, encoder.encode_pairs(raw, _templates(data, part, raw)))
        else:
            yield Batch(part, raw, encoder.encode(raw))


def _templates(data: ImageData, part: Indices, raw: Sequence[Pixels]) -> list[Pixels]:
    """The template of each image, laid onto it."""
    found = []
    for i, image in zip(part.tolist(), raw, strict=True):
        template = data.template(i)
        if template is None:
            raise InputError(
                f"{data.items.id[i]}: no template to compare it with; give pairs, such as 1_temp.png beside "
                "1_test.png, or a folder `template` with the same names"
            )
        found.append(onto(template, image))
    return found


def defects(data: ImageData, index: Indices, grid: tuple[int, int]) -> NDArray[np.bool_] | None:
    """(n, rows, columns) bool: cells of the images at `index` that are known to touch a defect; None if none is known.

    Only the data's boxes are asked: a mask file belongs to images that are judged.
    """
    if not any(data.boxes(int(i)) for i in index):
        return None
    found = np.zeros((len(index), *grid), np.bool_)
    for cells, i in zip(found, index.tolist(), strict=True):
        width, height = data.size(i)
        for box in data.boxes(i) or ():
            top, bottom = box.y1 * grid[0] // height, -(-box.y2 * grid[0] // height)
            left, right = box.x1 * grid[1] // width, -(-box.x2 * grid[1] // width)
            cells[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)] = True
    return found


def learnable(data: ImageData) -> NDArray[np.bool_]:
    """(n,) anomalous images of which the mask is known and marks something."""
    found = np.zeros(len(data.items), np.bool_)
    for i in np.flatnonzero(data.items.label == 1).tolist():
        mask = data.mask(i)
        found[i] = mask is not None and bool(mask.any())
    return found


def copies(encoder: PatchEncoder, data: ImageData, index: Indices, how: str) -> Floats | None:
    """(n, k, rows, columns, channels): the k copies of each image at `index` that `augmented` makes; None if k is 0.

    Raises:
        InputError: their features do not fit into `FIT_BYTES`.
    """
    made = []
    for i in index.tolist():
        altered = [encoder.encode([copy]) for copy in augmented(data.read(i), how)]  # one by one: they may be large
        if not altered:
            return None
        if len(index) * (1 + len(altered)) > most(encoder):
            raise InputError(
                f"{len(index)} images with {len(altered)} altered copies of each are more than fit into memory; learn "
                "from them with memory-bank, or set augment to none"
            )
        made.append(np.concatenate(altered))
    return np.stack(made)


def _parts(data: ImageData, index: Indices) -> Iterator[Indices]:
    """`index` in stretches of at most `BATCH` images and `BATCH_PIXELS` pixels, or one image."""
    start, pixels = 0, 0
    for at, i in enumerate(index):
        width, height = data.size(int(i))
        if at > start and (at - start == BATCH or pixels + width * height > BATCH_PIXELS):
            yield index[start:at]
            start, pixels = at, 0
        pixels += width * height
    if start < len(index):
        yield index[start:]


def save_encoder(encoder: PatchEncoder, folder: Path) -> None:
    """Weights and settings."""
    encoder.save(folder)


def load_encoder(kind: Any, folder: Path) -> Any:
    """What `save_encoder` wrote."""
    return kind.load(folder)


def evidence(fitted: FittedDetector, data: ImageData, batch: Batch, scores: Scores) -> Sequence[tuple[Evidence, ...]]:
    """The regions that stand out, and the normal patch nearest to each one's peak."""
    if scores.local is None:
        return [()] * len(batch.index)
    flagged = fitted.calibration.flags(scores.item)
    found: list[list[RegionEvidence]] = []
    for at, image in enumerate(batch.raw):
        pixels = upsample(scores.local[at], (image.shape[1], image.shape[0]))
        own = _standing_out(pixels, fitted.local_level, bool(flagged[at]))
        found.append([_said(fitted, region, pixels.shape, scores.doubt, at) for region in own])
    if hasattr(fitted.scorer, "nearest"):
        _add_neighbours(fitted, data, batch, scores, found)
    return [tuple(own) for own in found]


def _standing_out(pixels: Floats, level: float, flagged: bool) -> list[Region]:
    """Regions above the level of normal images and half of the image's own peak; a flagged image has at least one."""
    peak = float(pixels.max())
    if peak <= level and not flagged:
        return []
    return regions(pixels, max(min(level, peak - abs(peak) / 100), peak / 2), REGIONS)


def _said(
    fitted: FittedDetector, region: Region, shape: tuple[int, ...], doubt: Floats | None, at: int
) -> RegionEvidence:
    """What is said of a `region` of image `at`, whose pixels have the `shape` (H, W)."""
    return RegionEvidence(
        box=region.box,
        polygon=region.polygon,
        area=region.area,
        peak=region.peak,
        peak_at=region.at,
        p_value=fitted.region_p_value(region.peak),
        doubt=None if doubt is None else float(doubt[at][_cell(region.at, shape, doubt.shape[1:])]),
    )


def _cell(at: tuple[int, int], shape: tuple[int, ...], grid: tuple[int, ...]) -> tuple[int, int]:
    """Row and column of the patch that covers the pixel `at` (x, y) of an image of `shape` (H, W)."""
    (x, y), (height, width), (rows, columns) = at, shape, grid
    return min(y * rows // height, rows - 1), min(x * columns // width, columns - 1)


def _add_neighbours(
    fitted: Any, data: ImageData, batch: Batch, scores: Scores, found: list[list[RegionEvidence]]
) -> None:
    """Name the normal patch nearest to each region's peak; only these patches are looked up."""
    rows, columns = batch.x.shape[1:3]
    cells = [
        (at, which, *_cell(region.peak_at, batch.raw[at].shape[:2], (rows, columns)))
        for at, own in enumerate(found)
        for which, region in enumerate(own)
    ]
    if not cells:
        return
    at_cell = tuple(np.array(cells).T[[0, 2, 3]])
    of = {} if scores.category is None else {"categories": scores.category[at_cell[0]]}
    nearest = fitted.scorer.nearest(batch.x[at_cell][:, None, None, :], **of)
    for (at, which, _, _), item, cell in zip(cells, nearest.item.ravel(), nearest.cell.ravel(), strict=True):
        name = fitted.train_ids[int(item)]
        if name != str(data.items.id[batch.index[at]]):  # a training image is its own nearest normal: says nothing
            row, column = divmod(int(cell), columns)
            place = (column / columns, row / rows, 1 / columns, 1 / rows)
            found[at][which] = found[at][which].model_copy(update={"neighbour": name, "neighbour_cell": place})


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
        (folder / written[i]).write_bytes(map_to_bytes(upsample(scores.local[at], (width, height))))
    return written


def full_map(data: ImageData, i: int, local: Floats) -> Floats:
    """(H, W) of image `i`."""
    return upsample(local, data.size(i))
