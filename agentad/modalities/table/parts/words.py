"""Free text: how long it is, and how unusual its words are."""

from __future__ import annotations

from typing import Literal, Self

import numpy as np
import polars as pl

from agentad.modalities.table.parts.base import Allowed, Floats, Mask, Part, as_text, needs_flag

MAX_WORDS = 20_000
MAX_DECODED = 200
"""Words of an invented text at most."""
NEAR = 20
"""Words more common and words rarer than wanted that an invented text is made of."""
LOOKED_AT = 10_000
"""Characters of a text whose words are looked up; its length counts in full."""


class Words(Part):
    """Four encoded columns: log(1 + characters), log(1 + words), mean and highest rarity of the words.

    The rarity of a word is -log((texts with it + 1) / (texts + 1)) over the training texts, lower case.
    """

    kind: Literal["words"] = "words"
    words: tuple[str, ...]
    counts: tuple[int, ...]
    rows: int

    @property
    def width(self) -> int:
        """Four."""
        return 4

    @classmethod
    def fit(cls, column: str, series: pl.Series) -> Self:
        """Count in how many texts each word occurs; the most frequent `MAX_WORDS` are kept."""
        text = as_text(series)
        found = _words(text)["word"].value_counts(sort=False).rows()
        kept = sorted(found, key=lambda pair: (-pair[1], pair[0]))[:MAX_WORDS]
        return cls(
            column=column,
            flag=needs_flag(text.is_null()),
            words=tuple(word for word, _ in kept),
            counts=tuple(count for _, count in kept),
            rows=text.count(),
        )

    def encode(self, series: pl.Series) -> tuple[Floats, Mask]:
        """See `Part.encode`. A missing text is an empty one."""
        text = as_text(series)
        counts = dict(zip(self.words, self.counts, strict=True))
        seen = _words(text)
        rarity = -(
            (seen["word"].replace_strict(counts, default=0, return_dtype=pl.Float64) + 1) / (self.rows + 1)
        ).log()
        by_row = (
            seen.with_columns(rarity.alias("rarity"))
            .group_by("row")
            .agg(pl.col("rarity").mean().alias("mean"), pl.col("rarity").max().alias("highest"))
        )
        out = np.zeros((len(text), 4))
        out[:, 0] = np.log1p(text.str.len_chars().fill_null(0).to_numpy())
        out[:, 1] = np.log1p(text.str.count_matches(r"\w+").fill_null(0).to_numpy())
        rows = by_row["row"].to_numpy()
        out[rows, 2], out[rows, 3] = by_row["mean"].to_numpy(), by_row["highest"].to_numpy()
        return out, text.is_null().to_numpy()

    def text(self, values: Floats) -> str:
        """Length in characters and words."""
        characters, words = (max(round(float(np.expm1(np.float64(v)))), 0) for v in values[:2])
        return f"{characters:,} characters, {words:,} words"

    def decode(self, values: Floats, allowed: Allowed, generator: np.random.Generator) -> pl.Series:
        """See `Part.decode`. As many known words as wanted, about as rare as wanted: a bag of words, not a sentence."""
        sizes = np.clip(np.expm1(np.clip(values[:, 1].astype(np.float64), 0, 7)).round(), 0, MAX_DECODED).astype(int)
        if not self.words:
            return pl.Series(self.column, [""] * len(values))
        rarity = -np.log((np.array(self.counts) + 1.0) / (self.rows + 1))  # rising: words are sorted by count
        wanted = zip(values[:, 2].tolist(), sizes.tolist(), strict=True)
        return pl.Series(self.column, [self._bag(rarity, mean, n, generator) for mean, n in wanted])

    def _bag(self, rarity: Floats, mean: float, n: int, generator: np.random.Generator) -> str:
        middle = int(np.searchsorted(rarity, mean))
        low, high = max(middle - NEAR, 0), min(middle + NEAR, len(self.words))
        return " ".join(self.words[k] for k in generator.integers(min(low, high - 1), high, size=n))


def _words(text: pl.Series) -> pl.DataFrame:
    """Each row's different words: columns `row`, `word`."""
    return (
        pl.DataFrame({"word": text.str.slice(0, LOOKED_AT).str.to_lowercase().str.extract_all(r"\w+")})
        .with_row_index("row")
        .with_columns(pl.col("word").list.unique())
        .explode("word")
        .drop_nulls("word")
    )
