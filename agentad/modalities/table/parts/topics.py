"""Latent semantic analysis: which words go together in the training texts.

A text is the vector x of its different words' rarities (the idf of tf-idf), divided by its length. With μ the mean of
the training texts and V (terms, topics) the leading right singular vectors of their x − μ, a text becomes

    y = Vᵀ(x − μ)                  where it lies among the topics
    r = ‖x − μ‖² − ‖y‖²            how much of it no topic accounts for

V has no more topics than the texts really have: only singular values above the largest one that remains when the words
are dealt anew to the texts, each text keeping its length and each word its frequency (parallel analysis).

Deerwester et al. 1990, "Indexing by latent semantic analysis". Nothing is pretrained: synonyms that never occur near
each other, and other languages, are strangers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

MAX_TOPICS = 6
"""Every encoded column counts the same with detectors: more of them would let one text outweigh the other columns."""
FEWEST = 20
"""Texts below which no topic is looked for."""
_CLEAR = 1.1
"""How far above the largest singular value of dealt words a topic's has to be: that one varies from deal to deal."""
_ROUNDS, _SPARE = 8, 8
"""Subspace iterations, and directions carried along besides those wanted."""

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.integer[Any]]


@dataclass(frozen=True)
class Occurrences:
    """Which words occur in which texts, each word once a text."""

    text: Ints
    """(k,) from 0."""
    word: Ints
    """(k,) place in the vocabulary, or beyond it."""
    rarity: Floats
    """(k,)"""
    texts: int
    """How many, those without words included."""

    def vectors(self, terms: int) -> csr_array:
        """(texts, terms): unit vectors, less what belongs to words beyond the first `terms`."""
        length = np.sqrt(np.bincount(self.text, self.rarity**2, self.texts))
        known = self.word < terms
        text = self.text[known]
        weights = self.rarity[known] / np.maximum(length[text], 1e-12)
        return csr_array((weights, (text, self.word[known])), (self.texts, terms))

    def dealt(self, generator: np.random.Generator) -> Occurrences:
        """The same words on other texts; what falls on a text twice counts once."""
        text = generator.permutation(self.text)
        _, once = np.unique(text * (self.word.max(initial=0) + 1) + self.word, return_index=True)
        return Occurrences(text[once], self.word[once], self.rarity[once], self.texts)


def fit_topics(found: Occurrences, terms: int, *, seed: int = 0) -> NDArray[np.float32]:
    """(terms, 1 + topics): μ, then V."""
    generator = np.random.default_rng(seed)
    x = found.vectors(terms)
    mean = _mean(x)
    directions = np.zeros((terms, 0))
    if found.texts >= FEWEST and terms:
        sizes, directions = _singular(x, mean, generator)
        dealt = found.dealt(generator).vectors(terms)
        chance = _singular(dealt, _mean(dealt), generator)[0]
        directions = directions[:, : int((sizes > _CLEAR * chance[0]).sum())]
    return np.column_stack([mean, directions]).astype(np.float32)


def place_among(found: Occurrences, topics: Floats) -> NDArray[np.float64]:
    """(texts, topics + 1): y, then r."""
    mean, directions = topics[:, 0].astype(np.float64), topics[:, 1:].astype(np.float64)
    along = found.vectors(len(topics)) @ np.column_stack([mean, directions])
    y = along[:, 1:] - mean @ directions
    square = np.bincount(found.text, minlength=found.texts) > 0
    return np.column_stack([y, square - 2 * along[:, 0] + mean @ mean - (y**2).sum(axis=1)])


def telling_words(y: Floats, topics: Floats, count: int) -> list[int]:
    """Places of the words that weigh most in V y, heaviest first; none without topics. `y` is (topics,)."""
    if topics.shape[1] == 1:
        return []
    heaviest = np.argsort(-(topics[:, 1:] @ y), kind="stable")[:count]
    return [int(place) for place in heaviest]


def _mean(x: csr_array) -> NDArray[np.float64]:
    mean: NDArray[np.float64] = np.asarray(x.sum(axis=0)).ravel() / max(x.shape[0], 1)
    return mean


def _singular(
    x: csr_array, mean: Floats, generator: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The `MAX_TOPICS` largest singular values of x − mean, and their right vectors as columns (terms, topics)."""
    basis = generator.normal(size=(x.shape[1], min(MAX_TOPICS + _SPARE, *x.shape)))
    for _ in range(_ROUNDS):
        left = np.linalg.qr(x @ basis - mean @ basis)[0]
        basis = np.linalg.qr(x.T @ left - np.outer(mean, left.sum(axis=0)))[0]
    _, sizes, turn = np.linalg.svd(x @ basis - mean @ basis, full_matrices=False)
    directions = (basis @ turn.T)[:, :MAX_TOPICS]
    heaviest = np.abs(directions).argmax(axis=0)
    signs = np.sign(directions[heaviest, np.arange(directions.shape[1])])
    return sizes[:MAX_TOPICS], directions * signs
