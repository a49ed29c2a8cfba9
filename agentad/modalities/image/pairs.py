"""Which images are templates, and of which others: read in the names of files and folders.

Understood: `x_temp` (`_template`, `_ref`, `_reference`, `_golden`) beside `x_test` or plain `x`; a folder `template`
(`reference`, `golden` …) beside others in which names are equal; and such a folder with one image, which is then the
template of everything beside it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

Folders = tuple[str, ...]

_WORDS = "temp|template|ref|reference|golden"
_TEMPLATE = re.compile(rf"[ _.-](?:{_WORDS})$", re.IGNORECASE)
_TESTED = re.compile(r"[ _.-](?:test|tested|sample|inspected)$", re.IGNORECASE)
_GOLDEN = "temp template templates ref refs reference references golden golden_sample golden_samples"
_INSPECTED = "test tests tested testing sample samples inspected image images img imgs"
_TEMPLATE_FOLDERS = frozenset(_GOLDEN.split())
_SILENT = frozenset(_INSPECTED.split())
"""Folders of inspected images: what they hold is found again below the folder of templates without them."""
LEAST_SHARE = 0.5
"""Share of the other images that need a template before a folder counts as pairs: a stray `x_ref` makes none."""


class _Key(NamedTuple):
    """What an image and its template have in common."""

    folders: Folders
    stem: str


def find_templates(paths: Sequence[tuple[Folders, str]]) -> dict[int, int]:
    """The position of the template of each image that has one, among `paths` (folders, name without suffix).

    Empty unless at least `LEAST_SHARE` of the images that are no templates have one.
    """
    templates: dict[_Key, list[int]] = defaultdict(list)
    tested: dict[int, _Key] = {}
    for i, (folders, stem) in enumerate(paths):
        if _TEMPLATE.search(stem) or any(name.lower() in _TEMPLATE_FOLDERS for name in folders):
            templates[_key(folders, _TEMPLATE.sub("", stem))].append(i)
        else:
            tested[i] = _key(folders, stem)
    sole = {key: found[0] for key, found in templates.items() if len(found) == 1}
    pairs = {i: sole[key] for i, key in tested.items() if key in sole}
    if not pairs:
        pairs = _one_for_all(paths, tested, [i for found in templates.values() for i in found])
    return pairs if len(pairs) >= LEAST_SHARE * max(1, len(tested)) else {}


def pair_stem(stem: str) -> str:
    """The name that an image shares with its template: `7_test` is called `7`."""
    return _TESTED.sub("", stem)


def _key(folders: Folders, stem: str) -> _Key:
    kept = tuple(f for f in folders if f.lower() not in _TEMPLATE_FOLDERS and f.lower() not in _SILENT)
    return _Key(kept, pair_stem(stem))


def _one_for_all(
    paths: Sequence[tuple[Folders, str]], tested: dict[int, _Key], templates: Sequence[int]
) -> dict[int, int]:
    """The single image of a folder of templates belongs to every image below the folder that this one lies in."""
    if len(templates) != 1:
        return {}
    folders, _ = paths[templates[0]]
    at = next((k for k, name in enumerate(folders) if name.lower() in _TEMPLATE_FOLDERS), None)
    if at is None:
        return {}
    return {i: templates[0] for i in tested if paths[i][0][:at] == folders[:at]}
