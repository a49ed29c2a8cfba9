"""Tool cards: Markdown files with YAML front matter, one per tool, that planners read.

Cards come from the user's own folders first, then from agentad, then from installed packages that register the
entry-point group `agentad.tools` (the entry point's value is an importable package; the `*.md` files beside its
`__init__.py` are its cards). Of two cards with the same name the first counts.

**What a card may run.** A card is a text file, and a text file must not be able to choose what is imported: that is how
configuration files become attacks. So the list of packages an `entry` may point into is closed: `agentad` itself and
the packages registered in `agentad.tools`, that is, code somebody installed as a tool of agentad. A user's own card can
change settings and prose, or describe another class of those packages, and nothing else.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from agentad import assets
from agentad.errors import InputError, PlanRejected
from agentad.flow import Param, ToolCard, Value
from agentad.llm.closed import closed
from agentad.store.documents import LARGEST_YAML, parse_yaml, read_text

GROUP = "agentad.tools"
_ENTRY = re.compile(r"([A-Za-z_]\w*)(\.[A-Za-z]\w*)+:[A-Za-z]\w*")
_VERBS = {
    "encoder": ("encode",),
    "detector": ("fit", "score", "state", "restore"),
    "generator": ("fit", "sample"),
    "head": ("fit", "score", "state", "restore"),
}
_TYPES: dict[str, tuple[type, ...]] = {"bool": (bool,), "int": (int,), "float": (float, int), "str": (str,)}


def load_cards() -> dict[str, ToolCard]:
    """Every tool card, by name and sorted by it.

    Raises:
        InputError: a card is malformed; the message names its file.
    """
    cards: dict[str, ToolCard] = {}
    for folder in [*assets.folders("tools"), *_registered_folders()]:
        for path in sorted(folder.glob("*.md")):
            cards.setdefault(path.stem, read_card(path))
    return dict(sorted(cards.items()))


def read_card(path: Path) -> ToolCard:
    """The card in the file `path`, whose name is the file's.

    Raises:
        InputError: it is not a card, or points at code that no installed tool package owns.
    """
    front, body = _parts(path)
    if "body" in front:
        raise InputError(f"{path}: body: not a known key; write the prose below the front matter")
    card = closed(ToolCard, {**front, "body": body}, str(path))
    if card.name != path.stem:
        raise InputError(f"{path}: name is {card.name!r}; a card is called like its file, {path.stem!r}")
    _check_entry(card, path)
    try:
        check_params(card, {})
    except PlanRejected as error:
        raise InputError(f"{path}: a default is not allowed: {error}") from error
    return card


def _parts(path: Path) -> tuple[dict[str, Any], str]:
    try:
        text = read_text(path, LARGEST_YAML)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as a tool card: {error}") from error
    match = re.fullmatch(r"---\n(.*?)\n---\n(.*)", text, re.DOTALL)
    if not match:
        raise InputError(f"{path}: a tool card starts with YAML between two lines of `---`")
    try:
        front = parse_yaml(match[1])
    except ValueError as error:
        raise InputError(f"{path}: the front matter is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(front, dict):
        raise InputError(f"{path}: the front matter has to be `key: value` lines")
    return front, match[2].strip()


def _check_entry(card: ToolCard, path: Path) -> None:
    match = _ENTRY.fullmatch(card.entry)
    if not match:
        raise InputError(f"{path}: entry {card.entry!r} is not `package.module:Class`")
    if match[1] == "agentad":
        return
    allowed = {"agentad", *(_package(point) for point in _registered())}
    if match[1] not in allowed:
        raise InputError(
            f"{path}: entry {card.entry!r} is outside {', '.join(sorted(allowed))}; "
            f"a package offers tools by registering the entry-point group {GROUP!r}"
        )


def _registered() -> list[EntryPoint]:
    return sorted(entry_points(group=GROUP), key=lambda point: (point.name, point.value))


def _package(point: EntryPoint) -> str:
    return point.module.partition(".")[0]


def _registered_folders() -> Iterator[Path]:
    for point in _registered():
        try:
            spec = find_spec(point.module)
        except ModuleNotFoundError as error:
            raise InputError(
                f"{GROUP} entry point {point.name}: {error}; reinstall the package that registers it"
            ) from error
        for folder in (spec.submodule_search_locations or ()) if spec else ():
            yield Path(folder)


def resolve(card: ToolCard) -> type[Any]:
    """The class that `card` describes.

    Raises:
        InputError: there is no such class, or it lacks the verbs of the card's kind.
    """
    module, _, name = card.entry.partition(":")
    try:
        found = getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise InputError(f"tool {card.name}: {card.entry} cannot be imported: {error}") from error
    missing = [verb for verb in _VERBS[card.kind] if not hasattr(found, verb)]
    if missing or not isinstance(found, type):
        raise InputError(f"tool {card.name}: {card.entry} is not a class that can {', '.join(_VERBS[card.kind])}")
    return found


def check_params(card: ToolCard, params: Mapping[str, Value]) -> dict[str, Value]:
    """`params` completed with the card's defaults, in the card's order.

    Raises:
        PlanRejected: an unknown name, a wrong type, or a value out of bounds.
    """
    unknown = sorted(set(params) - set(card.params))
    if unknown:
        known = ", ".join(card.params) or "none"
        raise PlanRejected(f"{card.name} has no parameter {', '.join(map(repr, unknown))}; it has: {known}")
    return {
        name: _checked(f"{card.name}.{name}", param, params.get(name, param.default))
        for name, param in card.params.items()
    }


def _checked(where: str, param: Param, value: Value) -> Value:
    # bool is a kind of int in Python and not in a plan.
    if not isinstance(value, _TYPES[param.type]) or (isinstance(value, bool) and param.type != "bool"):
        raise PlanRejected(f"{where} = {value!r}: has to be of type {param.type}")
    if param.choices and value not in param.choices:
        raise PlanRejected(f"{where} = {value!r}: has to be one of {', '.join(param.choices)}")
    if param.type in ("int", "float"):
        _check_range(where, param, float(value))
        return float(value) if param.type == "float" else value
    return value


def _check_range(where: str, param: Param, value: float) -> None:
    if param.multiple_of and value % param.multiple_of:
        raise PlanRejected(f"{where} = {value:g}: has to be a multiple of {param.multiple_of}")
    low = -math.inf if param.low is None else param.low
    high = math.inf if param.high is None else param.high
    if not (math.isfinite(value) and low <= value <= high):
        raise PlanRejected(f"{where} = {value:g}: has to lie between {low:g} and {high:g}")
