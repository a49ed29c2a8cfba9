"""From what a column holds to what it is: a `flow.Column`, and what a reader should know about it."""

from __future__ import annotations

import math
import re

import polars as pl

from agentad.flow import Column, ColumnKind
from agentad.modalities.shown import shown
from agentad.modalities.table.groups import Hashes
from agentad.modalities.table.tally import Spread, Tally

NUMERIC_SHARE = 0.9
DATE_SHARE = 0.95
MANY = 32
"""Distinct texts above which a column may be free text rather than categories."""
FEWEST = 20
"""Rows below which equal values are too unlikely for their absence to mean an identifier."""
LEFT_OUT = ("label", "identifier", "constant", "empty")
"""Kinds of column that say nothing about a row, or too much."""

_UUID = re.compile(r"^\{?[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}\}?$", re.IGNORECASE)
_ID_NAME = re.compile(
    r"(^|[_\W])(id|uuid|guid|index|idx|key|rowid|row|nr|no|number|serial)$|^$|[a-z]I[Dd]$|^unnamed", re.I
)


def column(tally: Tally, hashes: Hashes | None) -> tuple[Column, tuple[str, ...]]:
    """The column and notes about it.

    Args:
        tally: what was counted.
        hashes: (n,) of its cells where it may still be an identifier.
    """
    spread = tally.spread[tally.style]
    kind = _kind(tally, spread, hashes)
    numeric = kind in ("numeric", "integer", "boolean") and spread.count > spread.infinite
    found = Column(
        name=tally.name,
        kind=kind,
        missing=1 - tally.values / max(tally.rows, 1),
        distinct=tally.n_distinct,
        low=spread.low if numeric else None,
        high=spread.high if numeric else None,
        mean=spread.mean if numeric and math.isfinite(spread.mean) else None,
        examples=tally.examples,
    )
    return found, tuple(_notes(tally, spread, kind))


def _kind(tally: Tally, spread: Spread, hashes: Hashes | None) -> ColumnKind:
    if not tally.values or spread.infinite == tally.values:
        return "empty"
    if tally.n_distinct == 1 and tally.values == tally.rows:
        return "constant"
    if tally.is_datetime:
        return "datetime"
    if tally.is_boolean or tally.truths == tally.values:
        return "boolean"
    if spread.count >= NUMERIC_SHARE * tally.values:
        return _number_kind(tally, spread, hashes)
    if tally.dates and max(tally.dates.values()) >= DATE_SHARE * tally.values:
        return "datetime"
    if _is_code(tally, hashes):
        return "identifier"
    return "text" if _is_text(tally) else "categorical"


def _number_kind(tally: Tally, spread: Spread, hashes: Hashes | None) -> ColumnKind:
    clean = spread.count == tally.values == tally.rows and not spread.infinite
    if clean and spread.low == spread.high:
        return "constant"
    if not spread.whole:
        return "numeric"
    if spread.low >= 0 and spread.high <= 1:
        return "boolean"
    if clean and _all_different(tally, hashes) and (_named_id(tally.name) or _dense(tally, spread)):
        return "identifier"
    return "integer"


def _dense(tally: Tally, spread: Spread) -> bool:
    """Whether different whole numbers fill most of their range, as counters do and measurements never."""
    return spread.high - spread.low < 2 * tally.rows


def _all_different(tally: Tally, hashes: Hashes | None) -> bool:
    return tally.rows >= FEWEST and hashes is not None and pl.Series(hashes).n_unique() == tally.rows


def _named_id(name: str) -> bool:
    return _ID_NAME.search(name) is not None


def _is_code(tally: Tally, hashes: Hashes | None) -> bool:
    """Whether texts are all different and look like codes: UUIDs, or single words named or shaped alike."""
    if not _all_different(tally, hashes) or tally.tokens > tally.values or tally.distinct is None:
        return False
    sample = [str(value) for value in tally.distinct.sort()[:1000]]
    if all(_UUID.match(value) for value in sample):
        return True
    shapes = {re.sub(r"[A-Za-z]+", "a", re.sub(r"\d+", "0", value)) for value in sample}
    return _named_id(tally.name) or (len(shapes) == 1 and "0" in next(iter(shapes)))


def _is_text(tally: Tally) -> bool:
    if tally.n_distinct <= MANY:
        return False
    words = tally.tokens / max(tally.values - tally.spread["plain"].count, 1)
    return words >= 4 or tally.n_distinct > 0.5 * tally.distinct_of


def _notes(tally: Tally, spread: Spread, kind: ColumnKind) -> list[str]:
    name = shown(tally.name, 40)
    notes = []
    if kind == "empty":
        notes.append(f"{name}: no value in any row; left out.")
    if kind == "identifier":
        notes.append(f"{name}: a different value in every row, so it names rows rather than measuring them; left out.")
    if spread.infinite and kind != "empty":
        notes.append(f"{name}: {spread.infinite:,} infinite or too large values count as missing.")
    odd = tally.values - spread.count
    if kind in ("numeric", "integer") and odd:
        listed = ", ".join(shown(text, 20) for text in list(tally.odd)[:3])
        notes.append(
            f"{name}: {odd / tally.values:.2g} of the values are not numbers (such as {listed}); they count as missing."
        )
    if kind in ("text", "categorical") and spread.count > 0.1 * tally.values:
        notes.append(f"{name}: {odd / tally.values:.2g} of the values are not numbers, so it is read as {kind}.")
    if kind in ("numeric", "integer") and tally.style != "plain":
        how = "a decimal comma" if tally.style == "decimal-comma" else "commas between thousands"
        notes.append(f"{name}: numbers are read with {how}.")
    if kind == "datetime" and tally.date_format and _ambiguous(tally):
        notes.append(f"{name}: day and month could be either way round; it is read as {tally.date_format}.")
    return notes


def _ambiguous(tally: Tally) -> bool:
    counts = sorted((tally.dates or {}).values(), reverse=True)
    return len(counts) > 1 and counts[0] == counts[1] and (tally.date_format or "").startswith("%m/%d")
