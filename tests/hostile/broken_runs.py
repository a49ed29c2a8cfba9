"""What may happen to a run folder. Each takes a finished one and damages it."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

Damage = Callable[[Path], object]


def written(name: str, content: bytes) -> Damage:
    def damage(run: Path) -> None:
        (run / name).unlink()
        (run / name).write_bytes(content)

    return damage


def cut(name: str) -> Damage:
    return lambda run: os.truncate(run / name, (run / name).stat().st_size // 2)


def removed(name: str) -> Damage:
    return lambda run: shutil.rmtree(run / name) if (run / name).is_dir() else (run / name).unlink()


def same_size(name: str) -> Damage:
    """Another content of the same length, which only a reader can tell."""
    return lambda run: (run / name).write_bytes(b"x" * (run / name).stat().st_size)


def _request(**fields: object) -> Damage:
    def damage(run: Path) -> None:
        document = json.loads((run / "run.json").read_text())
        (run / "run.json").write_text(json.dumps({**document, **fields}))

    return damage


def _strange_step(run: Path) -> None:
    (run / "fit" / "STEP.json").write_text('{"key": "x"}')


HEALED: dict[str, Damage] = {
    # resume does what is damaged again, and ends with the same scores
    "checkpoints of zero bytes": written("checkpoints.sqlite", b""),
    "checkpoints that are text": written("checkpoints.sqlite", b"hello, world\n" * 99),
    "checkpoints cut": cut("checkpoints.sqlite"),
    "no checkpoints": removed("checkpoints.sqlite"),
    "a step that says nothing": written("score/STEP.json", b""),
    "a step that says half": _strange_step,
    "a step nested deeply": written("split/STEP.json", b"[" * 100_000),
    "a step removed": removed("split"),
    "a step without its file": removed("score/scores.jsonl"),
    "scores cut": cut("score/scores.jsonl"),
    "a plan cut": cut("plan/plan.yaml"),
    "a profile cut": cut("profile/profile.json"),
    "a report cut": cut("report.json"),
    "no report": removed("report.json"),
    "arrays cut": cut("fit/detector/scorer/arrays.safetensors"),
}

REFUSED: dict[str, Damage] = {
    # the message names the run; it can still be listed and removed
    "run.json of zero bytes": written("run.json", b""),
    "run.json that is a list": written("run.json", b"[]"),
    "run.json that is binary": written("run.json", bytes(range(256))),
    "run.json nested deeply": written("run.json", b"[" * 100_000),
    "run.json without a request": _request(request=None),
    "run.json with an unknown key": _request(colour="red"),
    "run.json of other data": _request(data="0" * 64),
    "run.json with a plan of another kind": _request(plan={"tool": "x"}),
    "run.json whose data is gone": lambda run: (run.parent.parent / "data" / "rows.csv").unlink(),
}
