"""The profile of a folder of images, from what a look at each file showed."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from agentad.flow import DataProfile, ImageFacts, Skipped
from agentad.modalities.image.layout import Arrangement, layout_of
from agentad.modalities.image.look import Look, MaskLook
from agentad.modalities.items import Items
from agentad.modalities.shown import encodable

MOST_LISTED = 50


def describe(
    root: Path,
    arrangement: Arrangement,
    items: Items,
    looks: Sequence[tuple[str, Look]],
    masks: Sequence[MaskLook],
    skipped: Sequence[Skipped],
) -> DataProfile:
    """The profile. `looks` holds each item's id and look, in the order of `items`; `masks` every mask in use."""
    labels = items.label.tolist()
    types = Counter(kind for kind, label in zip(items.kind, labels, strict=True) if label == 1)
    return DataProfile(
        modality="image",
        root=encodable(str(root.absolute())),
        layout=layout_of(labels, items.given),
        fingerprint=_fingerprint(looks, masks),
        items=len(items),
        normal=labels.count(0),
        anomalous=labels.count(1),
        unlabelled=labels.count(-1),
        given_normal=int(((items.given == "train") & (items.label == 0)).sum()),
        given_anomalous=int(((items.given == "train") & (items.label == 1)).sum()),
        types=dict(sorted((kind or "anomalous", count) for kind, count in types.items())),
        groups=len(set(items.group.tolist())),
        image=_image_facts([look for _, look in looks], len(masks)),
        skipped=tuple(skipped[:MOST_LISTED]),
        n_skipped=len(skipped),
        notes=(*arrangement.notes, *_notes([look for _, look in looks], masks)),
    )


def some_skipped(skipped: Sequence[Skipped], most: int = 3) -> str:
    """The first few things that were left out and why, for an error message."""
    if not skipped:
        return "it is empty"
    listed = "; ".join(f"{s.path}: {s.reason}" for s in skipped[:most])
    return listed + (f"; and {len(skipped) - most} more" if len(skipped) > most else "")


def _fingerprint(looks: Sequence[tuple[str, Look]], masks: Sequence[MaskLook]) -> str:
    state = hashlib.sha256()
    for id, look in looks:
        state.update(f"{len(id)} {id} {look.digest}\n".encode())
    for mask in masks:
        state.update(f"{mask.digest}\n".encode())
    return state.hexdigest()


def _image_facts(looks: Sequence[Look], masks: int) -> ImageFacts:
    sizes = sorted((look.size for look in looks), key=lambda size: (size[0] * size[1], size))
    return ImageFacts(
        smallest=sizes[0],
        largest=sizes[-1],
        modes=dict(sorted(Counter(look.mode for look in looks).items())),
        formats=dict(sorted(Counter(look.format for look in looks).items())),
        masks=masks,
    )


def _notes(looks: Sequence[Look], masks: Sequence[MaskLook]) -> list[str]:
    sizes = {look.size for look in looks}
    counted = [
        (len(sizes) if len(sizes) > 1 else 0, "different image sizes"),
        (sum(look.several for look in looks), "images have several frames or pages; the first is used"),
        (sum(look.orientation > 1 for look in looks), "images are turned as their EXIF orientation says"),
        (sum(look.transparent for look in looks), "images have transparency, which is laid on white"),
        (sum(look.depth == 12 for look in looks), "16-bit images have no value above 4095 and are read as 12-bit"),
        (sum(look.depth == 16 for look in looks), "16-bit images are scaled to 8 bits"),
        (sum(look.depth == 32 for look in looks), "images hold floats from 0 to 1 and are scaled to 8 bits"),
        (sum(mask.resized for mask in masks), "masks are not of their image's size and are resized"),
    ]
    return [f"{count} {what}" for count, what in counted if count]
