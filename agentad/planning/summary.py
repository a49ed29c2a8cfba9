"""A profile and cards as a language model is shown them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from agentad.flow import Column, DataProfile, Param, ToolCard
from agentad.llm.prompts import quote

MAX_COLUMNS = 60
MAX_TEXT = 80
MAX_LISTED = 20


def data_block(profile: DataProfile) -> str:
    """`profile` as quoted JSON: short texts, no path of this machine, at most `MAX_COLUMNS` columns."""
    facts = profile.model_dump(mode="json", exclude={"root", "fingerprint", "table", "skipped", "types", "notes"})
    facts["name"] = _short(Path(profile.root).name)
    facts["types"] = {_short(name): count for name, count in list(profile.types.items())[:MAX_LISTED]}
    facts["notes"] = [_short(note) for note in profile.notes[:MAX_LISTED]]
    if profile.table:
        table = profile.table
        facts["table"] = {
            "rows": table.rows,
            "label_column": None if table.label_column is None else _short(table.label_column),
            "columns_in_all": len(table.columns),
            "columns": [_column(column) for column in table.columns[:MAX_COLUMNS]],
        }
    return quote(facts)


def _column(column: Column) -> dict[str, Any]:
    facts = column.model_dump(mode="json", exclude_none=True)
    return {**facts, "name": _short(column.name), "examples": [_short(text) for text in column.examples[:3]]}


def _short(text: str) -> str:
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"


def card_block(cards: list[ToolCard]) -> str:
    """Cards as Markdown sections, without what only the program needs."""
    return "\n\n".join(_card(card) for card in cards)


def _card(card: ToolCard) -> str:
    lines = [f"### {card.name} ({card.kind})", card.summary]
    lines += [f"- best for: {text}" for text in card.best_for]
    lines += [f"- avoid when: {text}" for text in card.avoid_when]
    lines += [f"- training data: {' or '.join(card.requires.training)}; at least {card.requires.items} items"]
    lines += [f"- cost: {card.cost}"]
    for name, param in card.params.items():
        bounds = _bounds(param)
        lines.append(f"- setting `{name}` ({param.type}{bounds}, default {param.default!r}): {param.help}")
    return "\n".join(lines)


def _bounds(param: Param) -> str:
    said = [
        f"one of {', '.join(param.choices)}" if param.choices else "",
        f"at least {param.low:g}" if param.low is not None else "",
        f"at most {param.high:.12g}" if param.high is not None else "",
        f"a multiple of {param.multiple_of}" if param.multiple_of else "",
    ]
    return "".join(f", {text}" for text in said if text)
