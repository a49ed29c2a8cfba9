"""Which category each item is of, for detectors that are told: one model for several data sets side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentad.modalities.items import Items
from agentad.modalities.shown import shown

MOST_NAMED = 6


def categories_of(detector: Any, items: Items) -> tuple[str, ...]:
    """Names of the categories, sorted, that `detector` is to be told of when it is fitted on `items`; () for none.

    None where there is one category, where the detector has no use for them, where an item's category is not known, and
    where a category has fewer than two groups of items, so that nothing could say what is usual in it.
    """
    if items.category is None or not getattr(detector, "uses_categories", False):
        return ()
    names = sorted(set(items.category.tolist()))
    few = any(len(np.unique(items.group[items.category == name])) < 2 for name in names)
    return () if few or "" in names or len(names) < 2 else tuple(names)


def places(names: Sequence[str], items: Items, root: str) -> NDArray[np.int64]:
    """(n,) the place of each item's category among `names`; -1 where it is none of them.

    The category is what the layout says, else the folders that the item lies in, else the folder `root` itself.
    """
    at = {name: place for place, name in enumerate(names)}
    whole = at.get(Path(root).name, -1)
    said = [""] * len(items) if items.category is None else items.category.tolist()
    found = [
        at[own] if own in at else -1 if own else next((at[f] for f in _folders(id) if f in at), whole)
        for own, id in zip(said, items.id, strict=True)
    ]
    return np.array(found, dtype=np.int64)


def remarks(names: Sequence[str], data: Any) -> tuple[str, ...]:
    """What has to be said of `data` (opened) scored by one model for the categories `names`; nothing without them."""
    if not names:
        return ()
    listed = ", ".join(map(shown, names[:MOST_NAMED])) + (
        f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    )
    said = [f"one model for {len(names)} categories ({listed}); each image is compared with normals of its own"]
    unknown = int(np.sum(places(names, data.items, data.profile.root) < 0))
    if unknown:
        said.append(
            f"{unknown} images lie in no folder called like one of these: each is taken to be of the category whose "
            "normals are nearest, which its evidence names"
        )
    return tuple(said)


def untold(detector: Any, items: Items) -> tuple[str, ...]:
    """What has to be said of a `detector` that was fitted on some of `items` and told of no category."""
    count = 0 if items.category is None else len(set(items.category.tolist()) - {""})
    if count < 2 or getattr(detector, "categories", None):
        return ()
    if getattr(detector, "uses_categories", False):
        why = "it is told only where every image to learn from lies in one, and each has 2 different ones at least"
    else:
        why = "it has no use for them"
    return (f"{count} categories are learned as if they were one, and the detector is not told which is which: {why}",)


def _folders(id: str) -> list[str]:
    """The folders of an item, from the root down: `a`, `a/b` for `a/b/1.png`."""
    parts = id.split("/")[:-1]
    return ["/".join(parts[: n + 1]) for n in range(len(parts))]
