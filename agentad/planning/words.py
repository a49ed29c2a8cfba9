"""The few wishes that rules can read in a sentence. Everything else is left to a language model.

=====================  ==========================================================================================
false-alarm rate       `0.5 % false alarms`, `false-alarm rate below 2 percent`, `one false alarm in 200`
tools not to use       `without the memory bank`, `don't use dinov2-small or patch filters`, `no diffusion`
all data is normal     `these are all good`, `all of the parts are normal`, `normals only`, `contains no defects`
made-up anomalies      `generate`, `synthetic`, `augment`, `invent`, `few-shot`, `learn from these few defects`
what has to improve    `improve the AUROC`, `average precision`, `pixel AP`, `localisation`
little or much time    `it has to be fast`, `in real time`, `at most 50 ms an image`; `accurate`, `take your time`
=====================  ==========================================================================================

A family, `diffusion`, `nearest neighbours` or `pretrained weights`, stands for all of its tools. A sentence that doubts
or asks (`check whether they are all good`) states nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from agentad.errors import InputError
from agentad.flow import ToolCard

_NUMBER = r"(?<![\d.,])(\d{1,9}(?:[.,]\d{1,9})?)"
_PERCENT = r"\s*(?:%|percent\b|per\s+cent\b)"
_ALARM = r"false[-\s]?(?:alarms?|positives?)(?:[-\s]rates?)?"
_LINK = r"(?:\s*(?:of|at|is|to|be|below|under|around|about|most|than|no|more|less|should|must|stay|<=?|=|:))*\s*"
_RATES = (
    re.compile(rf"{_NUMBER}{_PERCENT}\s+(?:of\s+|rate\s+of\s+)?{_ALARM}"),
    re.compile(rf"{_ALARM}{_LINK}{_NUMBER}{_PERCENT}"),
)
_FRACTION = re.compile(rf"{_ALARM}{_LINK}(?<![\d.,])(0[.,]\d{{1,9}})(?!{_PERCENT})(?![\d.,])")
_TIME = r"(?:second|minute|hour|day|week|month|shift|year)s?\b"
_ONE_IN = re.compile(
    rf"\b(one|\d{{1,9}})\s+{_ALARM}\s+(?:in|per|out\s+of|every|for\s+every)\s+(?:every\s+)?(\d{{1,9}})\b(?!\s*{_TIME})"
)

_NOT = (
    r"(?:\bwithout|\bexclud(?:e|ing)|\bavoid(?:ing)?|\bexcept|\bno"
    r"|(?<!why )(?:\bnot|n't|\bcannot|\bnever)(?:\s+want\s+to)?\s+(?:use|using|run|try))"
)
_ARTICLE = r"(?:using\s+)?(?:the\s+|any\s+|an?\s+)?"

_GOOD = r"(?:good|normals?|fine|ok|okay|healthy|clean|defect-free|flawless|genuine|legitimate)\b"
_BAD = r"(?:anomal(?:y|ies)|anomalous|defects?|defective|outliers?|faults?|faulty|bad)\b"
_ALL_NORMAL = (
    rf"\b(?:these|those|they|this|it)\b(?:\s+\w+){{0,3}}?\s+(?:are|is|were)\s+(?:all|only|known\s+to\s+be(?:\s+all)?)\s+{_GOOD}",
    rf"\ball\b(?:\s+\w+){{0,4}}?\s+(?:are|is|were)\s+(?:known\s+to\s+be\s+)?{_GOOD}",
    rf"\b(?:contains?|holds?|has|have|there\s+are)\s+(?:only\s+{_GOOD}|no\s+{_BAD})",
    r"\bnormals?\s+only\b",
)
_DOUBT = re.compile(
    r"\b(?:if|whether|check|ensure|make\s+sure|verify|prove|until|unless|when|are\s+these|are\s+they|almost|nearly|most|mostly"
    r"|usually|should|supposed|probably|perhaps|maybe|except|apart|aside|assum\w*|but\s+(?:for|one|two|three|a\s+few|some|\d))\b"
    r"|\b(?:some|several|many|half|rest|first|last)\b|\b(?:that|which|who)\s+(?:are|is|were|has|have|holds?|contains?)\b"
    r"|(?:\bnot|n't)\s+(?:all|every|sure|know|think|believe)\b|\?"
)
_MADE_UP = re.compile(
    r"\b(?:generat(?:e|ing)|synthesi[sz]e|synthetic|augment(?:ation)?|invent(?:ing|ed)?|few[-\s]shot"
    rf"|(?:learn|train|adapt)\w*\s+(?:from|on|with|to)\s+(?:the|these|those|my|our|a)\s+(?:few\s+)?(?:\w+\s+)?{_BAD})"
)

_METRICS: tuple[tuple[Literal["auroc", "ap", "pixel_ap"], re.Pattern[str]], ...] = (
    ("pixel_ap", re.compile(r"\b(?:pixel[-\s]?(?:ap|average\s+precision|level)|locali[sz]ation)\b")),
    ("auroc", re.compile(r"(?<!pixel )\b(?:au-?roc|roc[-\s]?auc|area\s+under\s+the\s+roc)\b")),
    ("ap", re.compile(r"(?<!pixel )\b(?:average\s+precision|auprc|pr[-\s]?auc)\b")),
)

_FAST = re.compile(
    r"\b(?:(?:fast|quick|quickly)(?=\s*(?:[.,;:!?)]|$)|\s+(?:and|but|please|enough|as\s+possible|model|detector|detection"
    r"|encoder|method|inspection|scoring|answers?|results?)\b)|as\s+(?:fast|quick|quickly)\s+as|real[-\s]?time|in\s+a\s+hurry"
    r"|little\s+time)\b"
)
_ACCURATE = re.compile(
    r"\b(?:(?<!how )accurate(?:ly)?|thorough(?:ly)?|(?:best|high|highest|most)\s+(?:possible\s+)?accuracy"
    r"|take\s+your\s+time|no\s+(?:hurry|rush)|time\s+(?:does\s+not|doesn't)\s+matter)\b"
)
_NOT_SO = re.compile(r"(?:\b(?:not|cannot|never|without|no)|n't)(?:\s+(?!and\b|but\b)[\w-]+){0,3}\s+$")
_IMAGE = r"(?:images?|pictures?|photos?|frames?|parts?|items?)\b"
_SPAN = rf"{_NUMBER}\s*(ms|msec|milli-?seconds?|s|sec|seconds?)\b"
_BUDGETS = (
    re.compile(rf"{_SPAN}\s*(?:/|per|for|an?\b|each|every)\s*(?:an?\s+|each\s+|every\s+|one\s+|single\s+)?{_IMAGE}"),
    re.compile(
        rf"\b(?:an|a|each|every|per|one)\s+{_IMAGE}(?:\s+[\w-]+){{0,4}}?\s+(?:in|within|under|below|most|than)\s+{_SPAN}"
    ),
)

_FAMILIES: dict[str, tuple[str, Callable[[ToolCard], bool]]] = {
    "diffusion": (r"diffusion(?:\s+models?)?", lambda card: card.diffusion),
    "nearest neighbours": (r"(?:nearest\s+)?neighbou?rs?", lambda card: card.score_family == "neighbour baseline"),
    "pretrained weights": (
        r"pre-?trained\s+(?:weights|models?|networks?)",
        lambda card: bool(card.requires.weights),
    ),
}


@dataclass(frozen=True)
class Wishes:
    """What the words say. `normal` and `made_up` are the user's own words."""

    target_far: float | None = None
    exclude: tuple[str, ...] = ()
    normal: str | None = None
    """Where they say that all the data is normal."""
    made_up: str | None = None
    """Where they ask for invented anomalies, or to learn from the few there are."""
    metric: Literal["auroc", "ap", "pixel_ap"] | None = None
    """What a round has to improve; None, too, where they name several."""
    pace: Literal["fast", "accurate"] | None = None
    """None, too, where they want both."""
    ms_per_image: float | None = None
    """The most milliseconds that an image may take."""
    time_words: tuple[str, ...] = ()
    """Where they speak of these two."""


def read_wishes(text: str, cards: Mapping[str, ToolCard]) -> Wishes:
    """The wishes in `text`.

    Raises:
        InputError: a false-alarm rate that no detector can have, or several different ones.
    """
    words = " ".join(text.lower().replace("’", "'").replace("'re ", " are ").split())
    made_up = _meant_so(_MADE_UP, words)
    return Wishes(
        _target_far(words),
        _excluded(words, cards),
        _all_normal(words),
        made_up,
        _metric(words),
        *_time(words),
    )


def _target_far(words: str) -> float | None:
    found = [_decimal(match[1]) / 100 for pattern in _RATES for match in pattern.finditer(words)]
    found += [_decimal(match[1]) for match in _FRACTION.finditer(words)]
    found += [(1 if match[1] == "one" else int(match[1])) / max(int(match[2]), 1) for match in _ONE_IN.finditer(words)]
    rates = sorted({round(rate, 12) for rate in found})
    if len(rates) > 1:
        listed = ", ".join(f"{100 * rate:g} %" for rate in rates)
        raise InputError(f"the request names several false-alarm rates ({listed}); name one, or give it as an option")
    if rates and not 0 < rates[0] < 1:
        raise InputError(
            f"the request names a false-alarm rate of {100 * rates[0]:g} %; it has to lie between 0 and 100 %"
        )
    return rates[0] if rates else None


def _decimal(text: str) -> float:
    return float(text.replace(",", "."))


def _excluded(words: str, cards: Mapping[str, ToolCard]) -> tuple[str, ...]:
    names = {name: name.replace("-", r"[-\s]?") + "s?" for name in cards}
    spelled = {**{name: pattern for name, (pattern, _) in _FAMILIES.items()}, **names}
    # Longest first, so that `feature diffusion` is that tool and not the family.
    order = sorted(spelled, key=lambda name: (-len(name), name))
    one = "|".join(f"(?:{spelled[name]})" for name in order)
    further = rf"(?:(?:\s*,\s*(?:or\s+|and\s+|nor\s+)?|\s+or\s+|\s+and\s+|\s+nor\s+){_ARTICLE}(?:{one}))*"
    several = rf"{_NOT}\s+{_ARTICLE}((?:{one}){further})\b"
    out: set[str] = set()
    for match in re.finditer(several, words):
        for named in re.finditer(one, match[1]):
            out |= _meant(next(name for name in order if re.fullmatch(spelled[name], named[0])), cards)
    return tuple(sorted(out))


def _meant(name: str, cards: Mapping[str, ToolCard]) -> set[str]:
    if name in cards:
        return {name}
    return {card.name for card in cards.values() if _FAMILIES[name][1](card)}


def _all_normal(words: str) -> str | None:
    for sentence in re.findall(r"[^.;!?]+[.;!?]?", words):
        match = next(filter(None, (re.search(pattern, sentence) for pattern in _ALL_NORMAL)), None)
        if match and not _DOUBT.search(sentence):
            return match[0]
    return None


def _metric(words: str) -> Literal["auroc", "ap", "pixel_ap"] | None:
    named = [name for name, pattern in _METRICS if pattern.search(words)]
    return named[0] if len(named) == 1 else None


def _time(words: str) -> tuple[Literal["fast", "accurate"] | None, float | None, tuple[str, ...]]:
    """Pace, milliseconds an image and the words that say so."""
    fast, accurate = _meant_so(_FAST, words), _meant_so(_ACCURATE, words)
    both = fast is not None and accurate is not None
    pace: Literal["fast", "accurate"] | None = None if both else "fast" if fast else "accurate" if accurate else None
    spans = [match for pattern in _BUDGETS for match in pattern.finditer(words)]
    tightest = min(spans, key=_milliseconds, default=None)
    said = [None if both else fast or accurate, tightest and tightest[0]]
    return pace, tightest and _milliseconds(tightest), tuple(filter(None, said))


def _meant_so(pattern: re.Pattern[str], words: str) -> str | None:
    """The first match that is not denied."""
    found = pattern.finditer(words)
    return next((m[0] for m in found if not _NOT_SO.search(words[max(m.start() - 40, 0) : m.start()])), None)


def _milliseconds(span: re.Match[str]) -> float:
    return _decimal(span[1]) * (1 if span[2].startswith("m") else 1000)
