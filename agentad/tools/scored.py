"""Scores of some items on disk."""

from __future__ import annotations

from pathlib import Path

from agentad.detectors.base import Scores
from agentad.store.arrays import load_state, save_state
from agentad.tools.road import Indices

_PARTS = ("local", "expected", "doubt", "category")


def save_scores(folder: Path, index: Indices, scores: Scores) -> None:
    """Write the `scores` of the items at the positions `index` of the data."""
    parts = {name: getattr(scores, name) for name in _PARTS}
    known = {name: array for name, array in parts.items() if array is not None}
    save_state(folder, {"index": index, "item": scores.item, **known}, {})


def load_scores(folder: Path) -> tuple[Indices, Scores]:
    """Positions and scores, as `save_scores` wrote them."""
    arrays, _ = load_state(folder)
    return arrays["index"], Scores(arrays["item"], *(arrays.get(name) for name in _PARTS))
