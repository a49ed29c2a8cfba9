"""What the names of folders and files say about images: normal or not, which type, train or test, whose mask.

Only names are read here, never pixels. Understood: MVTec (`train/good`, `test/<type>`, `ground_truth/<type>`) and its
relatives, a folder of normals beside a folder of anomalies (`ok` and `ng`, `yes` and `no`, `no_defect` and `defect` …),
pairs of an image and its template (see `pairs`), several such data sets side by side, and a plain folder.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from agentad.modalities.image.pairs import find_templates

_NORMAL = "good normal normals ok fine healthy negative negatives nondefective undamaged pass passed"
_ANOMALOUS = """
    bad anomaly anomalies anomalous abnormal abnormals abnormality defect defects defective def ng nok ko fault faults
    faulty positive positives damaged damage broken fail failed reject rejected unhealthy outlier outliers
"""
NORMAL = frozenset(_NORMAL.split())
ANOMALOUS = frozenset(_ANOMALOUS.split())
NEGATIONS = frozenset({"not", "no", "non", "without", "free"})
SPLITS = {
    **dict.fromkeys(("train", "training", "val", "valid", "validation"), "train"),
    **dict.fromkeys(("test", "testing", "tests"), "test"),
}
"""Validation images are there to be learned from; only test images are kept for the end."""
MASK_FOLDERS = frozenset({"groundtruth", "groundtruths", "gt", "gts", "mask", "masks", "segmentation"})
CARRIERS = frozenset({"image", "images", "img", "imgs", "jpegimages"})
"""Folders that say nothing about what they hold."""
MASK_SUFFIX = re.compile(r"[ _.-](mask|gt|groundtruth|ground_truth|label|seg)$", re.IGNORECASE)

Folders = tuple[str, ...]


@dataclass
class Arrangement:
    """What the names say about n files: parallel lists over the images, in the order of the files given."""

    images: list[int] = field(default_factory=list)
    """Positions of the images among the files; the others are masks and templates."""
    label: list[int] = field(default_factory=list)
    kind: list[str] = field(default_factory=list)
    given: list[str] = field(default_factory=list)
    category: list[str] = field(default_factory=list)
    """Which of several data sets side by side each image is of; empty where there is one, or it is not known."""
    masks: list[tuple[int, ...]] = field(default_factory=list)
    """Positions of each image's mask files."""
    template: list[int] = field(default_factory=list)
    """Position of each image's template among the files, or -1."""
    notes: list[str] = field(default_factory=list)

    @property
    def paired(self) -> bool:
        """Whether the images come with templates."""
        return any(at >= 0 for at in self.template)


def class_of(name: str) -> int | None:
    """0 when a folder's name means normal, 1 when it means anomalous, None when it means neither or both."""
    words = _words(name)
    meant = {int(w in ANOMALOUS) for w in words if w in NORMAL or w in ANOMALOUS}
    if len(meant) != 1:
        return None
    return meant.pop() ^ int(any(w in NEGATIONS for w in words))


def _words(name: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", name.lower())


def layout_of(labels: Iterable[int], given: Iterable[str]) -> str:
    """`mvtec` when something is known of labels and of train or test, `normal-and-anomalous` of labels, or `plain`."""
    if all(label < 0 for label in labels):
        return "plain"
    return "mvtec" if any(given) else "normal-and-anomalous"


def arrange(ids: Sequence[str]) -> Arrangement:
    """Labels, types, splits and masks of the image files named by `ids` (paths with forward slashes)."""
    paths = [_split_id(id) for id in ids]
    is_mask = _mask_files(paths)
    shown = [i for i, mask in enumerate(is_mask) if not mask]
    templates = {shown[i]: shown[t] for i, t in find_templates([paths[i] for i in shown]).items()}
    taken = set(templates.values())
    result = Arrangement(images=[i for i in shown if i not in taken])
    result.template = [templates.get(i, -1) for i in result.images]
    images = [paths[i] for i in result.images]
    places = [_Place.of(folders) for folders, _ in images]
    masks = [(i, paths[i]) for i, mask in enumerate(is_mask) if mask]
    _read_classes(places, {_mask_type(folders) for _, (folders, _) in masks}, result)
    result.given = [place.given for place in places]
    result.label = [place.label for place in places]
    result.kind, result.category = _kinds(places, result)
    _note_pairs(templates, result)
    result.masks = _match_masks(images, places, masks, result)
    return result


@dataclass
class _Place:
    """Where an image lies: `base / [train | test] / type / deeper`, with folders that say nothing left out."""

    folders: Folders
    given: str
    split_at: int | None
    """How many of `folders` lie above train or test."""
    label: int = -1
    base: Folders = ()
    kind: str = ""

    @classmethod
    def of(cls, folders: Folders) -> _Place:
        kept = [f for f in folders if f.lower() not in CARRIERS]
        splits = [i for i, f in enumerate(kept) if f.lower() in SPLITS]
        if not splits:
            return cls(tuple(kept), "", None)
        at = splits[0]
        return cls(tuple(kept[:at] + kept[at + 1 :]), SPLITS[kept[at].lower()], at)

    def settle(self, label: int, at: int) -> None:
        """The folder at position `at` decides the label; the deepest folder below it names the type."""
        self.label, self.base = label, self.folders[:at]
        self.kind = self.folders[-1] if label == 1 else ""


def _split_id(id: str) -> tuple[Folders, str]:
    *folders, name = id.split("/")
    return tuple(folders), name.rpartition(".")[0] or name


def _is_mask_folder(name: str) -> bool:
    return re.sub(r"[^a-z]", "", name.lower()) in MASK_FOLDERS


def _mask_files(paths: Sequence[tuple[Folders, str]]) -> list[bool]:
    """Files below a mask folder, and `x_mask` beside `x`; none when that would leave no image."""
    stems = set(paths)
    marked = [
        any(map(_is_mask_folder, folders)) or (folders, MASK_SUFFIX.sub("", stem)) in stems - {(folders, stem)}
        if MASK_SUFFIX.search(stem)
        else any(map(_is_mask_folder, folders))
        for folders, stem in paths
    ]
    return marked if not all(marked) else [False] * len(paths)


def _read_classes(places: Sequence[_Place], masked: set[Folders], result: Arrangement) -> None:
    yes_no = _yes_no_parents(places)
    for place in places:
        for at, name in enumerate(place.folders):
            label = class_of(name)
            if label is None and place.folders[:at] in yes_no:
                label = {"no": 0, "yes": 1}.get(name.lower())
            if label is not None:
                place.settle(label, at)
                break
    _read_flat_train(places, result)
    _read_siblings(places, masked, result)


def _yes_no_parents(places: Iterable[_Place]) -> set[Folders]:
    names: dict[Folders, set[str]] = defaultdict(set)
    for place in places:
        for at, name in enumerate(place.folders):
            names[place.folders[:at]].add(name.lower())
    return {parent for parent, below in names.items() if {"yes", "no"} <= below}


def _read_flat_train(places: Sequence[_Place], result: Arrangement) -> None:
    """Images that lie directly in `train`, beside a `test` with folders of types, are the normal ones."""
    typed = {p.folders[: p.split_at] for p in places if p.given == "test" and len(p.folders) > (p.split_at or 0)}
    flat = [p for p in places if p.label < 0 and p.given == "train" and len(p.folders) == p.split_at]
    chosen = [p for p in flat if p.folders in typed]
    for place in chosen:
        place.settle(0, len(place.folders))
    if chosen:
        result.notes.append(f"{len(chosen)} images lie directly in a train folder and are taken as normal")


def _read_siblings(places: Sequence[_Place], masked: set[Folders], result: Arrangement) -> None:
    """Folders beside a folder of normals are types of anomaly.

    Outside `test`, where a sibling's name says `anomalous` and no more, only those with a folder of masks are.
    """
    normal = {p.base for p in places if p.label == 0}
    catch_all = {p.base for p in places if p.label == 1 and ANOMALOUS.issuperset(_words(p.folders[len(p.base)]))}
    taken = set()
    for place in places:
        if place.label >= 0:
            continue
        at = place.split_at
        if at is None or at >= len(place.folders):
            at = _first_base(place.folders, normal)
        if at is None or place.folders[:at] not in normal:
            continue
        if place.given == "test" or place.folders[:at] not in catch_all or place.folders[: at + 1] in masked:
            place.settle(1, at)
            if place.given != "test":
                taken.add(place.folders[at])
    if taken:
        result.notes.append(f"folders beside the normal images are taken as types of anomaly: {_some(taken)}")


def _first_base(folders: Folders, bases: set[Folders]) -> int | None:
    return next((at for at in range(len(folders)) if folders[:at] in bases), None)


def _kinds(places: Sequence[_Place], result: Arrangement) -> tuple[list[str], list[str]]:
    """The type of each anomaly, with its data set in front when there are several, and the data set of each image."""
    bases = sorted({p.base for p in places if p.label >= 0})
    if len(bases) < 2:
        return [p.kind for p in places], [""] * len(places)
    names = {"/".join(base) or "." for base in bases}
    result.notes.append(
        f"{len(bases)} data sets lie side by side ({_some(names)}); point at one for a sharper detector"
    )
    kinds = ["/".join((*p.base, p.kind)) if p.kind else "" for p in places]
    return kinds, [("/".join(p.base) or ".") if p.label >= 0 else "" for p in places]


def _note_pairs(templates: Mapping[int, int], result: Arrangement) -> None:
    if not templates:
        return
    count = len(set(templates.values()))
    result.notes.append(
        f"{len(templates)} pairs of an image and its template"
        + (f" ({count} different templates)" if count != len(templates) else "")
        + "; templates are compared with, not scored"
    )


def _match_masks(
    images: Sequence[tuple[Folders, str]],
    places: Sequence[_Place],
    masks: Sequence[tuple[int, tuple[Folders, str]]],
    result: Arrangement,
) -> list[tuple[int, ...]]:
    """Each image's mask files. A key that two images share is used by the test image alone, or by nobody."""
    by_key: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for i, (folders, stem) in masks:
        for key in _mask_keys(folders, stem):
            by_key[key].append(i)
    keys = [_image_keys(folders, stem, place) for (folders, stem), place in zip(images, places, strict=True)]
    shared = Counter(key for own in keys for key in own)
    shared_test = Counter(key for own, p in zip(keys, places, strict=True) if p.given == "test" for key in own)
    matched: list[tuple[int, ...]] = []
    for own, place in zip(keys, places, strict=True):
        sole = [k for k in own if shared[k] == 1 or (place.given == "test" and shared_test[k] == 1)]
        matched.append(next((tuple(by_key[k]) for k in sole if k in by_key), ()))
    unused = len(masks) - len({i for own in matched for i in own})
    if unused:
        result.notes.append(f"{unused} mask files belong to no image")
    return matched


def _image_keys(folders: Folders, stem: str, place: _Place) -> list[tuple[str, ...]]:
    """Keys a mask may carry, the most telling first: with the split, without it, without the type."""
    kept = tuple(f for f in folders if f.lower() not in CARRIERS)
    untyped = [(*place.base, stem)] if place.label else []
    return list(dict.fromkeys([(*kept, stem), (*place.folders, stem), *untyped]))


def _mask_keys(folders: Folders, stem: str) -> list[tuple[str, ...]]:
    """`type/x_mask` is the mask of `type/x`; in `type/x/0` and `type/x/1` the folder names the image."""
    kept = tuple(f for f in folders if f.lower() not in CARRIERS and not _is_mask_folder(f))
    bare, unsplit = MASK_SUFFIX.sub("", stem), _mask_type(folders)
    return list(dict.fromkeys([(*kept, bare), (*kept, stem), (*unsplit, bare), (*unsplit, stem), kept, unsplit]))


def _mask_type(folders: Folders) -> Folders:
    """The folder of images that a folder of masks belongs to."""
    silent = CARRIERS | SPLITS.keys()
    return tuple(f for f in folders if f.lower() not in silent and not _is_mask_folder(f))


def _some(names: Iterable[str], most: int = 6) -> str:
    listed = sorted(names)
    return ", ".join(listed[:most]) + (f" and {len(listed) - most} more" if len(listed) > most else "")
