"""Drawing what a mix asks for, and drawing again what verifiers reject."""

from __future__ import annotations

import numpy as np

from agentad.flow import Brief, Mix, Portion
from agentad.loop.workshop import Places

ATTEMPTS = 3
"""An item that is rejected is made again with changed settings twice; then it is given up."""
_STRONGEST = 3.0
_HARD = 0.2
"""Share of the normals that count as hard, those with the highest scores."""


def dealt(mix: Mix, n: int, rng: np.random.Generator) -> list[Portion]:
    """The portion that each of `n` items is made to, in random order: as many of each as its weight says."""
    weights = np.array([portion.weight for portion in mix.portions], dtype=np.float64)
    share = n * weights / weights.sum()
    counts = np.floor(share).astype(int)
    for i in np.argsort(-(share - counts), kind="stable")[: n - counts.sum()]:
        counts[i] += 1
    each = np.repeat(np.arange(len(counts)), counts)
    return [mix.portions[i] for i in rng.permutation(each)]


def normals_for(portions: list[Portion], scores: np.ndarray, rng: np.random.Generator) -> Places:
    """Positions of the normals that items are made from, of those with held-out `scores` (n,)."""
    hard = np.argsort(-scores, kind="stable")[: max(1, int(_HARD * len(scores)))]
    wanted = rng.random(len(portions)) < np.array([portion.hard_normals for portion in portions])
    return np.where(wanted, rng.choice(hard, len(portions)), rng.integers(len(scores), size=len(portions)))


def changed(brief: Brief, verifier: str) -> Brief:
    """The brief after `verifier` rejected what was made to it."""
    low, high = brief.strength
    if verifier == "visibility":
        return brief.model_copy(update={"strength": (min(1.5 * low, _STRONGEST), min(1.5 * high, _STRONGEST))})
    if verifier == "realism":
        return brief.model_copy(update={"strength": (0.75 * low, 0.75 * high)})
    if verifier == "placement":
        return brief.model_copy(update={"place": "object"})
    return brief
