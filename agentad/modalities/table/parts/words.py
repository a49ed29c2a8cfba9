"""Free text: how long it is, how unusual its words are, and what it is about."""

from __future__ import annotations

from typing import Any, Literal, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import ConfigDict, Field, ValidationInfo, field_validator

from agentad.modalities.table.parts.base import Allowed, Floats, Mask, Part, as_text, needs_flag
from agentad.modalities.table.parts.topics import Occurrences, fit_topics, place_among, telling_words

MAX_WORDS = 20_000
MAX_DECODED = 200
"""Words of an invented text at most."""
NEAR = 20
"""Words more common and words rarer than wanted that an invented text is made of."""
LOOKED_AT = 10_000
"""Characters of a text whose words are looked up; its length counts in full."""
TOLD = 3
"""Words named when a text is expected."""

_UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
_ONE, _WORD = rf"[{_UNSPACED}]", rf"[\w--[{_UNSPACED}]]+"
_PAIR, _FIRST = rf"{_ONE}{{2}}", rf"{_ONE}({_ONE}*)"
TOKEN = f"{_ONE}|{_WORD}"
"""A word, or one character of a script that does not part its words."""


class Words(Part):
    """Encoded columns: log(1 + characters), log(1 + words), mean and highest rarity of the words, then `topics`.

    The rarity of a word in c of n training texts is −log(c / (n + 1)), lower case; unseen words count as seen once. Of
    two adjacent characters of a script without spaces, the pair is a word too.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    kind: Literal["words"] = "words"
    words: tuple[str, ...]
    """Most frequent first."""
    counts: tuple[int, ...]
    rows: int
    topics: NDArray[Any] = Field(exclude=True, repr=False)
    """(words in two texts or more, 1 + topics) float32; see `parts.topics`. Kept beside the JSON."""

    @field_validator("topics")
    @classmethod
    def _fits(cls, topics: NDArray[Any], info: ValidationInfo) -> NDArray[Any]:
        words = info.data.get("words", ())
        if topics.ndim != 2 or topics.dtype != np.float32 or not topics.shape[1] or len(topics) > len(words):
            raise ValueError(f"topics of shape {topics.shape} do not fit {len(words)} words")
        if not np.isfinite(topics).all():
            raise ValueError("topics have to be finite")
        return topics

    @property
    def width(self) -> int:
        """Four, one a topic, and one for what no topic accounts for."""
        return 4 + int(self.topics.shape[1])

    @classmethod
    def fit(cls, column: str, series: pl.Series) -> Self:
        """Count in how many texts each word occurs, and learn topics; the most frequent `MAX_WORDS` are kept."""
        text = as_text(series)
        seen = _words(text)
        kept = sorted(seen["word"].value_counts(sort=False).rows(), key=lambda pair: (-pair[1], pair[0]))[:MAX_WORDS]
        without = cls(
            column=column,
            flag=needs_flag(text.is_null()),
            words=tuple(word for word, _ in kept),
            counts=tuple(count for _, count in kept),
            rows=text.count(),
            topics=np.zeros((0, 1), np.float32),
        )
        text_of, texts = np.unique(seen["row"].to_numpy(), return_inverse=True)
        found = without._occurrences(seen.with_columns(pl.Series("row", texts)), len(text_of))
        return without.model_copy(update={"topics": fit_topics(found, sum(count > 1 for _, count in kept))})

    def encode(self, series: pl.Series) -> tuple[Floats, Mask]:
        """See `Part.encode`. A missing text is an empty one."""
        text = as_text(series)
        found = self._occurrences(_words(text), len(text))
        out = np.zeros((len(text), self.width))
        out[:, 0] = np.log1p(text.str.len_chars().fill_null(0).to_numpy())
        out[:, 1] = np.log1p(text.str.count_matches(TOKEN).fill_null(0).to_numpy())
        count = np.bincount(found.text, minlength=len(text))
        out[:, 2] = np.bincount(found.text, found.rarity, len(text)) / np.maximum(count, 1)
        np.maximum.at(out[:, 3], found.text, found.rarity)
        out[:, 4:] = place_among(found, self.topics)
        return out, text.is_null().to_numpy()

    def _occurrences(self, seen: pl.DataFrame, texts: int) -> Occurrences:
        places = {word: place for place, word in enumerate(self.words)}
        place = seen["word"].replace_strict(places, default=len(self.words), return_dtype=pl.Int64).to_numpy()
        return Occurrences(seen["row"].to_numpy().astype(np.int64), place, self._rarity()[place], texts)

    def _rarity(self) -> NDArray[np.float64]:
        """(words + 1,) rising; last that of an unseen word. A training text's own word does not make it common."""
        return np.log((self.rows + 1) / np.array([*self.counts, 1.0]))

    def text(self, values: Floats) -> str:
        """Length in characters and words, and a few of the words."""
        characters, words = (max(round(float(np.expm1(np.float64(v)))), 0) for v in values[:2])
        return f"{characters:,} characters, {words:,} words" + self._told(values, words)

    def _told(self, values: Floats, words: int) -> str:
        told = [self.words[k] for k in telling_words(values[4:-1], self.topics, min(TOLD, words))]
        return f" such as {', '.join(told)}" if told else ""

    def decode(self, values: Floats, allowed: Allowed, generator: np.random.Generator) -> pl.Series:
        """See `Part.decode`. As many known words as wanted, about as rare as wanted: a bag of words, not a sentence.

        Topics are not heeded.
        """
        sizes = np.clip(np.expm1(np.clip(values[:, 1].astype(np.float64), 0, 7)).round(), 0, MAX_DECODED).astype(int)
        if not self.words:
            return pl.Series(self.column, [""] * len(values))
        rarity = self._rarity()[:-1]
        wanted = zip(values[:, 2].tolist(), sizes.tolist(), strict=True)
        return pl.Series(self.column, [self._bag(rarity, mean, n, generator) for mean, n in wanted])

    def _bag(self, rarity: Floats, mean: float, n: int, generator: np.random.Generator) -> str:
        middle = int(np.searchsorted(rarity, mean))
        low, high = max(middle - NEAR, 0), min(middle + NEAR, len(self.words))
        return " ".join(self.words[k] for k in generator.integers(min(low, high - 1), high, size=n))


def _words(text: pl.Series) -> pl.DataFrame:
    """Each row's different words: columns `row`, `word`."""
    low = text.str.slice(0, LOOKED_AT).str.to_lowercase()
    found = [low.str.extract_all(TOKEN)]
    if low.str.contains(_ONE).any():
        found += [low.str.extract_all(_PAIR), low.str.replace_all(_FIRST, " $1").str.extract_all(_PAIR)]
    return (
        pl.select(pl.concat_list(found).list.unique(maintain_order=True).alias("word"))
        .with_row_index("row")
        .explode("word")
        .drop_nulls("word")
    )
