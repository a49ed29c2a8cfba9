"""Write the report: one HTML page and one JSON document, and a page a round."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import numpy as np

from agentad.flow import Metrics, Report, Round, ScoredItem
from agentad.report.exhibits import Exhibits
from agentad.report.page import render
from agentad.report.pick import pick
from agentad.steps.adapt import BUDGET
from agentad.steps.peak import peak_mb
from agentad.steps.pictures import exhibits
from agentad.steps.rounds import round_pages
from agentad.steps.score import read_lines, read_scores
from agentad.steps.session import Session
from agentad.store.atomic import publish, write_json, write_text
from agentad.store.version import library_versions
from agentad.tools.categories import remarks, untold

MOST_LISTED = 20_000
"""Longer lists of items are thinned for the page's pictures; its counts are of all items."""


def page(session: Session, folder: Path) -> None:
    """`report.html`, `round-K.html`, `report.json`; these, the plan and scores are then linked where people look."""
    made = _report(session)
    listed = _listed(session)
    items = list(listed.values())
    write_text(folder / "report.html", render(made, items, _exhibits(session, made, listed)))
    round_pages(session, made, folder)
    write_json(folder / "report.json", made.model_dump(mode="json"))


def show(session: Session) -> None:
    """Link what people open into the run folder itself; the report last, because it says that the run is finished."""
    pages = sorted(path.name for path in session.folder("page").glob("round-*.html"))
    for old in session.run.path.glob("round-*.html"):
        if old.name not in pages:
            old.unlink()  # of more rounds, before the data or the code was changed
    sources = ["plan/plan.yaml", "plan/exchanges.jsonl", "score/scores.jsonl", *(f"page/{name}" for name in pages)]
    sources += ["page/report.html", "page/report.json"]
    if (session.folder("score") / "maps").is_dir():
        link = session.run.path / "maps"
        if not link.is_symlink():
            link.symlink_to("score/maps")
    for source in filter(lambda name: (session.run.path / name).is_file(), sources):
        publish(session.run.path / source, session.run.path / Path(source).name)


def _report(session: Session) -> Report:
    plan, split = session.plan, session.split
    metrics = session.run.read("evaluate/metrics.json")
    timings = session.run.timings()
    item, _ = read_scores(session, plan.detector.tool)
    stopped = session.run.read("adapt/rounds.json")["stopped"]
    return Report(
        run=session.run.name,
        dir=str(session.run.path),
        plan=plan,
        profile=session.profile,
        detector=str(session.detector),
        threshold=session.fitted.threshold,
        items=len(split.scored),
        flagged=int(session.fitted.calibration.flags(item).sum()),
        metrics=metrics and {name: Metrics.model_validate(found) for name, found in metrics.items()},
        report=str(session.run.path / "report.html"),
        rounds=_rounds(session),
        stopped=stopped,
        budget_spent=stopped == BUDGET,
        seconds=round(sum(spent["seconds"] for name, spent in timings.items() if not _within(name)), 1),
        peak_mb=round(peak_mb(), 1),
        timings={name: spent["cpu_seconds"] for name, spent in timings.items() if not _within(name)},
        versions={"python": sys.version.split()[0], **library_versions()},
        reproduce=_command(session),
        notes=(
            *split.notes,
            *remarks(session.fitted.categories, session.data),
            *untold(session.fitted.scorer, session.data.items),
            *getattr(session.fitted.scorer, "notes", ()),
        ),
    )


def _within(step: str) -> bool:
    """Whether a step is a part of `adapt`, whose time holds its own."""
    return step.startswith("round-")


def _rounds(session: Session) -> tuple[Round, ...]:
    timings = session.run.timings()
    found = [Round.model_validate(one) for one in session.run.read("adapt/rounds.json")["rounds"]]
    return tuple(
        one.model_copy(update={"cpu_seconds": timings.get(f"round-{one.number}", {}).get("cpu_seconds", 0.0)})
        for one in found
    )


def _command(session: Session) -> str:
    request, plan = session.request, session.plan
    data = ["--data", request.data]
    excluded = [word for name in request.exclude for word in ("--exclude", name)]
    if session.plan_given is not None:
        return shlex.join(["agentad", "recipe", "run", str(session.run.path / "plan.yaml"), *data, *excluded])
    far = [] if request.target_far is None else ["--target-far", f"{request.target_far:g}"]
    planner = [] if request.planner == "auto" else ["--planner", request.planner]
    return shlex.join(["agentad", "run", request.text, *data, *planner, *excluded, *far, "--seed", str(plan.seed)])


def _listed(session: Session) -> dict[int, ScoredItem]:
    """All items by their position, or of very many the ones the page shows and an even sample of the rest."""
    path, scored = session.folder("score") / "scores.jsonl", session.split.scored
    item, _ = read_scores(session, session.plan.detector.tool)
    if len(item) <= MOST_LISTED:
        return dict(zip(scored.tolist(), read_lines(path), strict=True))
    order = np.argsort(-item, kind="stable")
    line = int(session.fitted.calibration.flags(item).sum())
    keep = {*order[:200].tolist(), *order[max(line - 100, 0) : line + 100].tolist()}
    keep |= set(range(0, len(item), len(item) // MOST_LISTED + 1))
    return dict(zip(scored[sorted(keep)].tolist(), read_lines(path, keep.__contains__), strict=True))


def _exhibits(session: Session, made: Report, listed: dict[int, ScoredItem]) -> Exhibits:
    data, split = session.data, session.split
    place = np.fromiter(listed, np.int64)
    labels = {listed[i].id: int(data.items.label[i]) for i in place[np.isin(place, split.test)].tolist()}
    chosen = set(pick(list(listed.values()), made.threshold.value, labels).ids)
    wanted = {i: item for i, item in listed.items() if item.id in chosen}
    _, local = read_scores(session, session.plan.detector.tool)
    maps = {} if local is None else {i: local[np.searchsorted(split.scored, i)] for i in wanted}
    drawn = exhibits(session.fitted, data, wanted, maps)
    kinds = {item.id: str(data.items.kind[i]) for i, item in listed.items() if data.items.kind[i]}
    return Exhibits(held_out=session.fitted.calibration.scores, labels=labels, kinds=kinds, **drawn)
