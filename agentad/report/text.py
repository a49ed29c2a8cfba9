"""Numbers as people write them, and other people's text made safe to show."""

from __future__ import annotations

import re
import unicodedata

JOINERS = "\u200c\u200d"
"""Invisible, but part of the spelling of Persian words and of emoji."""

LONG = 12
"""Characters of a number that still fit in a narrow cell."""
_FRACTION = re.compile(r"[+-]?\d+(\.\d+([eE][+-]?\d{1,2})?|[eE][+-]?\d{1,2})", re.ASCII)


def clean(value: str, limit: int = 160, *, keep_newlines: bool = False) -> str:
    r"""Cap the text at `limit` characters and spell out what is invisible (`\n`, direction overrides, lone surrogates).

    HTML escaping is not done here: the template does it for every value.
    """
    shown = value if len(value) <= limit else value[: limit - 1] + "…"
    return "".join(_visible(c) if not (keep_newlines and c == "\n") else c for c in shown)


def _visible(char: str) -> str:
    # Categories: C* controls, format characters, surrogates and unassigned; Zl and Zp line and paragraph separators.
    hidden = unicodedata.category(char)[0] == "C" or unicodedata.category(char) in ("Zl", "Zp")
    if not hidden or char in JOINERS:
        return char
    return char.encode("unicode_escape").decode("ascii")


def number(value: float) -> str:
    """Four significant digits; whole numbers in full with thousands separated."""
    if value == int(value) and abs(value) < 1e12:
        return f"{int(value):,}"
    if 1e-4 <= abs(value) < 1e4:
        return f"{value:.4g}"
    return f"{value:,.0f}" if 1e4 <= abs(value) < 1e9 else f"{value:.3g}"


def figure(cell: str) -> str:
    """A cell's text, except that of a fraction with more digits than can be read at a glance six are kept.

    Beside a power of ten there are at most four.
    """
    if not _FRACTION.fullmatch(cell) or (len(cell) <= LONG and "e" not in cell.lower()):
        return cell
    short = f"{float(cell):.6g}"
    return min(cell, f"{float(cell):.4g}" if "e" in short else short, key=len)


def percent(share: float) -> str:
    """A share of 1 as a percentage: two digits below one per cent, three above."""
    value = 100 * share
    if 0 < value < 0.01:
        return "under 0.01 %"
    return f"{value:.3g} %" if value >= 1 else f"{value:.2g} %"


def whole(share: float) -> str:
    """A share of 1 in whole per cent, for places where digits are noise."""
    return "< 1 %" if 0 < share < 0.005 else f"{100 * share:.0f} %"


def tied(sentence: str) -> str:
    """The sentence with its per-cent signs bound to their numbers, so that no line begins with one."""
    return sentence.replace(" %", "\u00a0%")


def chance(p: float) -> str:
    """A p-value with two digits, on one line."""
    return "<\u00a00.0001" if p < 1e-4 else f"{p:.2g}"


def measure(value: float) -> str:
    """A metric between 0 and 1 with three decimals."""
    return f"{value:.3f}"


def count(n: int, noun: str) -> str:
    """`1 row`, `1,200 rows`."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"
