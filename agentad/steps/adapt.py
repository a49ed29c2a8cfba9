"""Go round: invent anomalies, learn from them and from the real ones, and keep what provably helps."""

from __future__ import annotations

import re
from pathlib import Path

from agentad.flow import Loop, Mix
from agentad.loop.rounds import Rounds
from agentad.loop.workshop import workshop
from agentad.planning.critic import Critic, RulesCritic
from agentad.planning.make import critic_for
from agentad.steps.session import Session
from agentad.store.address import address
from agentad.store.atomic import publish_folder, write_json
from agentad.store.runs import RunFolder
from agentad.tools.adapter import load
from agentad.tools.scored import load_scores

BUDGET = "The time for rounds is spent."


def adapt(session: Session, folder: Path) -> None:
    """`rounds.json`, and where a round was adopted `detector/` and `held_out/`; the rounds in folders beside this."""
    loop = session.plan.loop
    if loop is None:
        write_json(folder / "rounds.json", {"rounds": [], "stopped": None})
        return
    base = session.folder("fit") / "detector"
    fitted = load(base)
    held_out = load_scores(session.folder("fit") / "held_out" / session.plan.detector.tool)
    known, seed = session.split.known, session.plan.seed
    bench = workshop(
        session.plan.modality, loop, fitted, session.data, held_out, known, seed=seed, progress=session.progress
    )
    start = address(session.run.key("fit"), session.plan.model_dump(mode="json"))
    rounds = Rounds(session.run, session.plan, fitted, base, bench, session.data, start, session.progress)
    stopped = go_round(rounds, critic_for(session.request, loop.feedback))
    found = [one.model_dump(mode="json") for one in rounds.done]
    write_json(folder / "rounds.json", {"rounds": found, "stopped": stopped})
    if rounds.detector != base:
        for name in ("detector", "held_out"):
            publish_folder(rounds.detector.parent / name, folder / name)


def go_round(rounds: Rounds, critic: Critic) -> str | None:
    """Take the rounds; why they ended before their number was reached, or None."""
    loop = rounds.loop
    mix = None if len(rounds.workshop.real.known) else _first_mix(rounds, loop)
    while len(rounds.done) < loop.rounds:
        if loop.seconds is not None and _spent(rounds.run) > loop.seconds:
            return BUDGET
        if rounds.done and rounds.done[-1].mix is None:
            mix = _first_mix(rounds, loop)
        elif rounds.done:
            advice = rounds.advised(critic)
            if advice.mix is None:
                return advice.why
            mix = advice.mix
        rounds.take(mix)
        if loop.generator is None:
            return None
    return None


def _first_mix(rounds: Rounds, loop: Loop) -> Mix:
    """What is invented before anything is known of mistakes."""
    if loop.mix != Mix():
        return loop.mix
    return rounds.advised(RulesCritic("even")).mix or loop.mix


def _spent(run: RunFolder) -> float:
    """Wall seconds of the rounds so far."""
    return sum(spent["seconds"] for name, spent in run.timings().items() if re.fullmatch(r"round-\d+", name))


def in_place(run: RunFolder) -> Path:
    """Folder of the detector in place, also of a run that was interrupted: the last one adopted, or the first."""
    rounds = sorted(run.path.glob("round-*/detector"), key=lambda path: int(path.parent.name.removeprefix("round-")))
    found = [run.path / "adapt" / "detector", *reversed(rounds), run.path / "fit" / "detector"]
    return next((folder for folder in found if folder.is_dir()), found[-1])
