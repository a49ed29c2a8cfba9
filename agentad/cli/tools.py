"""`tools`: what a planner can choose from."""

from __future__ import annotations

import typer

from agentad import assets
from agentad.cli import output
from agentad.cli.options import Json

tools = typer.Typer(no_args_is_help=True, help="The tools a plan can use.")


@tools.command("list")
def tools_list(as_json: Json = False) -> None:
    """List the tools."""
    from agentad.tools.cards import load_cards

    cards = load_cards()
    if as_json:
        output.document([card.model_dump(mode="json") for card in cards.values()])
    else:
        rows = [(card.name, card.kind, ", ".join(card.modalities), card.summary) for card in cards.values()]
        output.table(("tool", "kind", "for", "what it does"), rows)


@tools.command("show")
def tools_show(name: str, as_json: Json = False) -> None:
    """Print a tool's card."""
    from agentad.errors import InputError
    from agentad.tools.cards import load_cards

    cards = load_cards()
    if name not in cards:
        raise InputError(f"there is no tool {name!r}; there are {', '.join(cards)}")
    if as_json:
        output.document(cards[name].model_dump(mode="json"))
    else:
        output.line(assets.read("tools", f"{name}.md").rstrip())
