"""A folder of images, or one image, as items to be scored."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agentad.errors import UnreadableData
from agentad.flow import DataProfile, Skipped
from agentad.modalities.image.boxes import FILE as BOXES
from agentad.modalities.image.boxes import BadBoxes, Box, BoxFile, assign, fill, kind_of, read_boxes
from agentad.modalities.image.duplicates import groups_of
from agentad.modalities.image.facts import describe, some_skipped
from agentad.modalities.image.layout import Arrangement, arrange
from agentad.modalities.image.look import Look, MaskLook, look_at, look_at_mask
from agentad.modalities.image.pixels import BrokenImage, Pixels, read_mask, read_pixels
from agentad.modalities.image.walk import SUFFIXES, Found, holds_image, refusal, text_of, walk
from agentad.modalities.items import Items
from agentad.modalities.shown import shown

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Source:
    """Where one item's pixels and ground truth come from, and what a look at them showed."""

    file: Found
    look: Look
    masks: tuple[tuple[Found, MaskLook], ...]
    place: int
    """Position among the images of the arrangement."""
    template: tuple[Found, Look] | None = None
    """What the image is compared with, for pairs."""
    boxes: tuple[Box, ...] | None = None
    """Its defects as boxes; None where there is no file of them."""


class ImageData:
    """Images found on disk, read one at a time."""

    profile: DataProfile
    items: Items

    def __init__(self, profile: DataProfile, items: Items, sources: Sequence[Source]):
        self.profile = profile
        self.items = items
        self._sources = sources

    def __len__(self) -> int:
        return len(self._sources)

    def read(self, i: int) -> Pixels:
        """Image `i` as uint8 (H, W, 3) at its own resolution; see `pixels`. Raises UnreadableData."""
        return read_pixels(self._sources[i].file.path)

    def size(self, i: int) -> tuple[int, int]:
        """(width, height) of image `i` as `read` returns it."""
        return self._sources[i].look.size

    def mask(self, i: int) -> NDArray[np.bool_] | None:
        """Ground truth of image `i` as bool (H, W), True where anomalous; None where it is not known.

        A normal image without a mask file has nothing anomalous in it. Several mask files are joined. Without mask
        files, boxes are filled.
        """
        source = self._sources[i]
        if not source.masks and source.boxes is not None:
            return fill(source.boxes, source.look.size)
        if not source.masks and self.items.label[i] != 0:
            return None
        joined = np.zeros(source.look.size[::-1], dtype=np.bool_)
        for file, _ in source.masks:
            joined |= read_mask(file.path, source.look.size, source.look.orientation)
        return joined

    def boxes(self, i: int) -> tuple[Box, ...] | None:
        """The defects of image `i` as the data's boxes; None where there are no boxes for this data."""
        return self._sources[i].boxes

    @property
    def paired(self) -> bool:
        """Whether the images come with templates."""
        return all(source.template is not None for source in self._sources)

    def template(self, i: int) -> Pixels | None:
        """What image `i` is compared with, as uint8 (H, W, 3) at its own resolution; None without templates."""
        found = self._sources[i].template
        return None if found is None else read_pixels(found[0].path)


def recognise(path: Path) -> bool:
    """Whether `path` is a file, or a folder that holds a file, with an image's suffix."""
    try:
        return holds_image(path) if path.is_dir() else path.is_file() and path.suffix.lower() in SUFFIXES
    except OSError:
        return False


def open_images(path: Path, *, progress: Progress | None = None) -> ImageData:
    """Look at a folder of images, or at one image file.

    Every image is decoded once, so that what cannot be read is skipped here and listed in the profile.
    Raises UnreadableData when nothing is left.
    """
    root, found, skipped = _find(path)
    arrangement = arrange([file.id for file in found])
    sources = _look(found, arrangement, skipped, progress)
    if not sources:
        raise UnreadableData(f"{shown(path)}: holds no image that can be read ({some_skipped(skipped)})")
    boxes = _read_boxes(path, skipped)
    notes = [] if boxes is None else _add_boxes(boxes, sources)
    items = _items(arrangement, sources)
    arrangement.notes.extend(notes)
    masks = [look for source in sources for _, look in source.masks]
    profile = describe(root, arrangement, items, [(s.file.id, s.look) for s in sources], masks, skipped)
    return ImageData(_with_pairs(profile, sources, boxes), items, sources)


def _find(path: Path) -> tuple[Path, list[Found], list[Skipped]]:
    try:
        if path.is_dir():
            return path, *walk(path)
        if not path.exists():
            raise UnreadableData(f"{shown(path)}: no such file or folder")
    except OSError as problem:
        raise UnreadableData(f"{shown(path)}: {problem.strerror}") from problem
    reason = refusal(path)
    if reason:
        raise UnreadableData(f"{shown(path)}: {reason}")
    return path.parent, [Found(text_of(path.name), path)], []


def _look(
    found: Sequence[Found], arrangement: Arrangement, skipped: list[Skipped], progress: Progress | None
) -> list[Source]:
    sources = []
    templates: dict[int, Look] = {}
    for place, i in enumerate(arrangement.images):
        try:
            look = look_at(found[i].path)
            template = _look_at_template(place, found, arrangement, templates)
        except BrokenImage as problem:
            skipped.append(Skipped(path=shown(found[i].id), reason=problem.reason))
        else:
            masks = [found[j] for j in arrangement.masks[place]]
            sources.append(Source(found[i], look, _look_at_masks(masks, look, skipped), place, template))
        if progress:
            progress(place + 1, len(arrangement.images))
    return sources


def _look_at_template(
    place: int, found: Sequence[Found], arrangement: Arrangement, seen: dict[int, Look]
) -> tuple[Found, Look] | None:
    """The template of the image at `place`. Raises BrokenImage where a folder of pairs has none that can be read."""
    if not arrangement.paired:
        return None
    image, at = found[arrangement.images[place]], arrangement.template[place]
    if at < 0:
        raise BrokenImage(image.path, "no template for it among the pairs; add one to have it compared")
    if at not in seen:
        try:
            seen[at] = look_at(found[at].path)
        except BrokenImage as problem:
            name = shown(found[at].id)
            raise BrokenImage(image.path, f"its template {name} cannot be used: {problem.reason}") from problem
    return found[at], seen[at]


def _read_boxes(path: Path, skipped: list[Skipped]) -> BoxFile | None:
    """`boxes.csv` directly in the folder; one that cannot be used is listed with the reason."""
    file = path / BOXES
    if not path.is_dir() or not file.is_file() or file.is_symlink():
        return None
    skipped[:] = [entry for entry in skipped if entry.path != BOXES]
    try:
        return read_boxes(file)
    except BadBoxes as problem:
        skipped.append(Skipped(path=BOXES, reason=str(problem)))
        return None


def _add_boxes(file: BoxFile, sources: list[Source]) -> list[str]:
    """Give each source its boxes, and say what did not fit. A file that names no image says nothing about any."""
    own, unused = assign(file, [source.file.id for source in sources])
    notes = [f"{unused} names in {BOXES} belong to no image"] if unused else []
    named = sum(bool(boxes) for boxes in own)
    if not named:
        return notes
    sources[:] = [replace(source, boxes=boxes) for source, boxes in zip(sources, own, strict=True)]
    count = sum(map(len, own))
    notes.append(f"{count} boxes of defects in {named} images, from {BOXES}")
    if named < len(sources):
        notes.append(f"{len(sources) - named} images that {BOXES} does not name are taken as normal")
    return notes


def _with_pairs(profile: DataProfile, sources: Sequence[Source], boxes: BoxFile | None) -> DataProfile:
    """What the profile says of templates and boxes, which are part of the data and of its fingerprint."""
    templates = {source.template[0].id: source.template[1].digest for source in sources if source.template}
    boxed = sum(bool(source.boxes) and not source.masks for source in sources)
    if profile.image is None or not (templates or boxed):
        return profile
    state = hashlib.sha256(profile.fingerprint.encode())
    for name, digest in sorted(templates.items()):
        state.update(f"{len(name)} {name} {digest}\n".encode())
    state.update((boxes.digest if boxes else "").encode())
    pairs = sum(source.template is not None for source in sources)
    facts = profile.image.model_copy(update={"pairs": pairs, "masks": profile.image.masks + boxed})
    layout = "pairs" if pairs else profile.layout
    return profile.model_copy(update={"image": facts, "fingerprint": state.hexdigest(), "layout": layout})


def _look_at_masks(files: Sequence[Found], look: Look, skipped: list[Skipped]) -> tuple[tuple[Found, MaskLook], ...]:
    """All of an image's masks, or none of them: half a ground truth would count defects as normal."""
    masks = []
    for file in files:
        try:
            masks.append((file, look_at_mask(file.path, look.size, look.orientation)))
        except BrokenImage as problem:
            skipped.append(Skipped(path=shown(file.id), reason=f"mask left out: {problem.reason}"))
    return tuple(masks) if len(masks) == len(files) else ()


def _items(arrangement: Arrangement, sources: Sequence[Source]) -> Items:
    places = [s.place for s in sources]
    return Items(
        id=_texts([s.file.id for s in sources]),
        label=np.array([_label(arrangement, s) for s in sources], dtype=np.int8),
        kind=_texts([arrangement.kind[s.place] or kind_of(s.boxes or ()) for s in sources]),
        group=groups_of([s.look.digest for s in sources], np.stack([s.look.signature for s in sources])),
        given=_texts([arrangement.given[p] for p in places]),
        category=_texts([arrangement.category[p] for p in places]) if any(arrangement.category) else None,
    )


def _label(arrangement: Arrangement, source: Source) -> int:
    """What the folders say; else what the image's own mask or boxes say; else unknown."""
    label = arrangement.label[source.place]
    if label < 0 and source.masks:
        return int(any(look.marks for _, look in source.masks))
    if label < 0 and source.boxes is not None:
        return int(bool(source.boxes))
    return label


def _texts(values: Sequence[str]) -> NDArray[np.object_]:
    return np.array(values, dtype=np.object_)
