"""Every file below a folder, without leaving it. Links that lead outside, pipes and devices are listed, not opened."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from agentad.flow import Skipped
from agentad.modalities.shown import shown

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".tif", ".tiff", ".bmp", ".dib", ".webp"})
OTHERS = frozenset({".gif", ".avif", ".heic", ".heif", ".jp2", ".j2k", ".jxl", ".dcm", ".exr", ".psd", ".pgm", ".ppm"})
"""Suffixes of images that are not read: their decoders are large, rarely needed, or not there everywhere."""
CLUTTER = frozenset({"thumbs.db", "desktop.ini", "__macosx", "agentad-runs"})
"""Lower-case names that operating systems, or earlier runs, leave beside data."""


@dataclass(frozen=True)
class Found:
    """A regular file with an image's suffix."""

    id: str
    """Path relative to the root with forward slashes; valid text, and different for different files."""
    path: Path


def text_of(name: str) -> str:
    r"""A file name as valid text: bytes that are not UTF-8 become `\xff`, a backslash becomes two."""
    return name.replace("\\", "\\\\").encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def walk(root: Path) -> tuple[list[Found], list[Skipped]]:
    """The image files below `root` sorted by id, and everything else with the reason it was left out."""
    found: list[Found] = []
    skipped: list[Skipped] = []
    for entry in _entries(root, os.path.realpath(root), ""):
        if isinstance(entry, Found):
            found.append(entry)
        else:
            skipped.append(entry)
    return sorted(found, key=lambda f: f.id), sorted(skipped, key=lambda s: s.path)


def holds_image(root: Path) -> bool:
    """Whether the folder holds a file with an image's suffix; stops at the first."""
    return any(isinstance(entry, Found) for entry in _entries(root, os.path.realpath(root), ""))


def refusal(path: Path) -> str | None:
    """Why a file can not be opened at all, or None: only regular files that are not empty are."""
    try:
        status = path.stat()
    except OSError as problem:
        return problem.strerror or "cannot be looked at"
    if not stat.S_ISREG(status.st_mode):
        return "not a regular file (a pipe, socket or device)"
    return None if status.st_size else "empty file"


def _entries(folder: Path, top: str, prefix: str) -> Iterator[Found | Skipped]:
    pending = [(folder, prefix)]
    while pending:
        folder, prefix = pending.pop()
        try:
            with os.scandir(folder) as listing:
                entries = sorted(listing, key=lambda e: os.fsencode(e.name))
        except OSError as problem:
            yield Skipped(path=shown(prefix or "."), reason=f"folder cannot be listed: {problem.strerror}")
            continue
        for entry in entries:
            id = prefix + text_of(entry.name)
            reason = _reason(entry, top)
            if reason:
                yield Skipped(path=shown(id), reason=reason)
            elif entry.is_dir(follow_symlinks=False):
                pending.append((Path(entry.path), id + "/"))
            else:
                yield Found(id, Path(entry.path))


def _reason(entry: os.DirEntry[str], top: str) -> str | None:
    if entry.name.startswith(".") or entry.name.lower() in CLUTTER:
        return "hidden or system file"
    if entry.is_symlink():
        reason = _link_reason(entry, top)
        if reason:
            return reason
    elif entry.is_dir():
        return None
    suffix = Path(entry.name).suffix
    if suffix.lower() in OTHERS:
        return f"images of this kind are not read ({text_of(suffix)}); save it as PNG"
    if suffix.lower() not in SUFFIXES:
        return f"not an image ({text_of(suffix)})" if suffix else "not an image (no suffix)"
    return refusal(Path(entry.path))


def _link_reason(entry: os.DirEntry[str], top: str) -> str | None:
    try:
        target = os.path.realpath(entry.path, strict=True)
    except OSError as problem:
        return f"link that leads nowhere: {problem.strerror}"
    if os.path.commonpath([target, top]) != top:
        return "link that leads outside the folder; copy the file in to use it"
    # What a folder link inside the root leads to is read under its own name; following it could go round in circles.
    return "link to a folder; not followed" if Path(target).is_dir() else None
