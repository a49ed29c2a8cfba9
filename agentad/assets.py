"""The only place that knows where `prompts/`, `tools/` and `recipes/` live.

A user's own files come first, by name: `.agentad/<kind>` in the working directory, then the user's configuration
folder, then the files that ship with the package (inside the installed wheel, or beside the package in a checkout).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import platformdirs

from agentad.errors import InputError

Kind = Literal["prompts", "tools", "recipes"]
_PACKAGE = Path(__file__).parent


def built_in(kind: Kind) -> Path:
    """The folder of `kind` that ships with agentad."""
    installed = _PACKAGE / "_data" / kind
    return installed if installed.is_dir() else _PACKAGE.parent / kind


def folders(kind: Kind) -> list[Path]:
    """Existing folders of `kind`, the user's own before the built-in one."""
    own = [Path.cwd() / ".agentad" / kind, Path(platformdirs.user_config_dir("agentad")) / kind]
    return [folder for folder in [*own, built_in(kind)] if os.path.isdir(folder)]  # noqa: PTH112  a folder of no permission is no folder of ours, not an error


def find(kind: Kind, name: str) -> Path:
    """The file `name` (with forward slashes, relative) of `kind`.

    Raises:
        InputError: there is no such file, or the name leaves the folder.
    """
    if ".." in Path(name).parts or Path(name).is_absolute():
        raise InputError(
            f"{kind}: {name!r} is not a plain name; give a name such as those `agentad {kind} list` prints"
        )
    for folder in folders(kind):
        if (folder / name).is_file():
            return folder / name
    raise InputError(f"{kind}: there is no {name!r} in {', '.join(str(f) for f in folders(kind))}")


def read(kind: Kind, name: str) -> str:
    """The text of the file `name` of `kind`."""
    return find(kind, name).read_text(encoding="utf-8")


def listing(kind: Kind, suffix: str) -> dict[str, Path]:
    """All files of `kind` ending in `suffix`, by name without it, sorted; the user's own hide built-in ones."""
    found: dict[str, Path] = {}
    for folder in folders(kind):
        for path in sorted(folder.rglob(f"*{suffix}")):
            found.setdefault(path.relative_to(folder).as_posix().removesuffix(suffix), path)
    return dict(sorted(found.items()))
