"""The sentence as a graph: profile → plan → split → fit → adapt → score → evaluate → page.

LangGraph runs the steps and checkpoints after each in SQLite; every step also lives in a folder addressed by its
content (`store.runs.RunFolder.step`). The checkpoint says where to go on, the folders say what is already done, so
that a kill at any moment costs at most the step in flight and a second run of the same thing does nothing.
"""

from __future__ import annotations

import operator
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any, TypedDict

from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import END, START, StateGraph

from agentad import steps
from agentad.steps import Session
from agentad.store.address import address, stat_fingerprint
from agentad.store.atomic import not_writable
from agentad.store.version import code_version
from agentad.tools.cards import load_cards


class State(TypedDict, total=False):
    """All that a checkpoint holds."""

    done: Annotated[dict[str, str], operator.or_]
    """Address of each finished step; under `data`, the fingerprint of the data."""


_WORK: dict[str, Callable[[Session, Path], None]] = {
    "profile": steps.profile,
    "plan": steps.plan,
    "split": steps.split,
    "fit": steps.fit,
    "adapt": steps.adapt,
    "score": steps.score,
    "evaluate": steps.evaluate,
    "page": steps.page,
}


def follow(session: Session) -> None:
    """Take every step of the run that has not been taken. The caller holds the run."""
    path = session.run.path / "checkpoints.sqlite"
    try:
        if not _readable(path):
            path.unlink()  # damaged: the folders know what is done
        with closing(sqlite3.connect(path, check_same_thread=False)) as connection:
            _follow(session, SqliteSaver(connection))
    except sqlite3.OperationalError as error:
        raise not_writable(session.run.path, error) from error


def _follow(session: Session, saver: SqliteSaver) -> None:
    graph = _graph(session).compile(checkpointer=saver)
    # the fingerprint is the thread: changed data starts from the beginning, unchanged data where it stopped
    start = {"data": stat_fingerprint(Path(session.request.data)), "code": code_version()}
    config = {"configurable": {"thread_id": address(start)}}
    reached = graph.get_state(config)
    done = {name: key for name, key in reached.values.get("done", {}).items() if name in _WORK}
    goes_on = bool(reached.next) and all(session.run.has(name, key) for name, key in done.items())
    graph.invoke(None if goes_on else {"done": start}, config)


def _readable(path: Path) -> bool:
    """Whether the checkpoints can be read, or there are none yet."""
    if not path.exists():
        return True
    try:
        with closing(sqlite3.connect(path)) as connection:
            return bool(connection.execute("pragma quick_check").fetchone() == ("ok",))
    except sqlite3.DatabaseError:
        return False


def _graph(session: Session) -> Any:
    graph = StateGraph(State)
    for name in _WORK:
        graph.add_node(name, _node(session, name))
    for before, after in zip([START, *_WORK], [*_WORK, END], strict=True):
        graph.add_edge(before, after)
    return graph


def _node(session: Session, name: str) -> Any:
    def take(state: State) -> State:
        inputs = _inputs(session, name, state["done"])
        key = session.run.step(name, inputs, lambda folder: _WORK[name](session, folder))
        return {"done": {name: key}}

    return take


def _inputs(session: Session, name: str, done: dict[str, str]) -> Any:
    """What decides the result of a step, besides the code."""
    if name == "profile":
        return done["data"]
    if name == "plan":
        given = session.plan_given and session.plan_given.model_dump(mode="json")
        cards = {name: card.model_dump(mode="json") for name, card in load_cards().items()}
        return [done["profile"], session.request.model_dump(mode="json"), given, cards]
    if name == "split":
        return [done["profile"], session.plan.model_dump(mode="json")]
    before = {"fit": "split", "adapt": "fit", "score": "adapt", "evaluate": "score", "page": "evaluate"}
    return done[before[name]]
