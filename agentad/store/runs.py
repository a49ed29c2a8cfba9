"""Run folders: one folder a run, one folder a step inside it, readable by people and by `jq`.

::

    agentad-runs/screw-1f0c9ab2/
        run.json            the request; what `resume` starts from
        checkpoints.sqlite  where the graph stands
        profile/ plan/ split/ detector/ scores/ report/    one folder a step, each with STEP.json
        plan.yaml  scores.jsonl  report.html  report.json  what people open
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from agentad.errors import InputError
from agentad.flow import Asked, Noun
from agentad.store.address import address
from agentad.store.atomic import clear_parts, made_folder, not_writable, whole_folder, write_json
from agentad.store.documents import read_json
from agentad.store.version import code_version

STEP = "STEP.json"


class Finished(Noun):
    """`STEP.json`: what a finished step says of itself."""

    key: str
    step: str
    code: str
    files: dict[str, int]
    """Bytes of every other file in the folder: what a crash of the machine cut off is done again."""
    seconds: float
    cpu_seconds: float


def runs_root() -> Path:
    """Where runs are kept: `AGENTAD_RUNS`, or `agentad-runs` in the working directory."""
    return Path(os.environ.get("AGENTAD_RUNS", "agentad-runs")).absolute()


def run_id(data: Path, *parts: Any) -> str:
    """A readable name for a run: the data's name and the address of everything that decides the result."""
    slug = re.sub(r"[^a-z0-9]+", "-", data.name.lower()).strip("-")[:32] or "run"
    return f"{slug}-{address(code_version(), *parts)[:10]}"


class RunFolder:
    """One run on disk. Verbs that change it need `held`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.name

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other processes out of this run, and sweep what a killed one left.

        Raises:
            InputError: another process holds the run.
            NotWritable: there is no writing there.
        """
        made_folder(self.path)
        lock = FileLock(self.path.with_name(f".{self.name}.lock"))
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise InputError(f"run {self.name}: another process is working on it; wait for it, or stop it") from error
        except OSError as error:
            raise not_writable(self.path.parent, error) from error
        try:
            clear_parts(self.path)
            yield
        finally:
            lock.release()

    def write_request(self, asked: Asked) -> None:
        """Store what the run was asked, once."""
        if not (self.path / "run.json").exists():
            write_json(self.path / "run.json", asked.model_dump(mode="json"))

    def request(self) -> Asked:
        """What `write_request` stored.

        Raises:
            InputError: this is not a run folder, or it is damaged.
        """
        try:
            return Asked.model_validate(read_json(self.path / "run.json"))
        except OSError as error:
            raise InputError(f"{self.path}: not a run folder; `agentad runs list` shows the runs there are") from error
        except ValueError as error:
            raise InputError(
                f"{self.path / 'run.json'}: damaged; delete the run with `agentad runs rm {self.name}`"
            ) from error

    def step(self, name: str, inputs: Any, work: Callable[[Path], None]) -> str:
        """Do `work` into the folder `name` unless it holds the result of the same inputs and code already.

        Returns the step's address, which later steps name among their inputs.
        """
        key = address(name, code_version(), inputs)
        if self.has(name, key):
            return key
        with whole_folder(self.path / name) as part:
            wall, cpu = time.monotonic(), _cpu_seconds()
            work(part)
            spent = {"seconds": round(time.monotonic() - wall, 3), "cpu_seconds": round(_cpu_seconds() - cpu, 3)}
            made = Finished(key=key, step=name, code=code_version(), files=_sizes(part), **spent)
            write_json(part / STEP, made.model_dump(mode="json"))
        return key

    def has(self, name: str, key: str) -> bool:
        """Whether the step `name` is done, at the address `key`, and whole."""
        done = self._done(name)
        return done is not None and done.key == key

    def key(self, name: str) -> str | None:
        """The address of the step `name`; None unless it is done."""
        done = self._done(name)
        return None if done is None else done.key

    def _done(self, name: str) -> Finished | None:
        """What the step says of itself; None where it says nothing, or a file of it is gone or cut off."""
        try:
            document = Finished.model_validate(read_json(self.path / name / STEP))
        except (OSError, ValueError):
            return None
        return document if document.files == _sizes(self.path / name) else None

    def read(self, name: str) -> Any:
        """The JSON document that a step wrote, by its name below the run.

        Raises:
            InputError: it is damaged.
        """
        try:
            return read_json(self.path / name)
        except (OSError, ValueError) as error:
            raise InputError(
                f"{self.path / name}: damaged ({error}); delete the run with `agentad runs rm {self.name}`"
            ) from error

    def timings(self) -> dict[str, dict[str, float]]:
        """Wall and CPU seconds of each finished step."""
        finished = {path.parent.name: self._done(path.parent.name) for path in sorted(self.path.glob(f"*/{STEP}"))}
        return {name: {"seconds": d.seconds, "cpu_seconds": d.cpu_seconds} for name, d in finished.items() if d}

    def clear(self) -> None:
        """Forget everything this run did. The caller holds it."""
        shutil.rmtree(self.path)
        self.path.mkdir()

    def remove(self) -> None:
        """Delete the run and its lock file."""
        shutil.rmtree(self.path)
        self.path.with_name(f".{self.name}.lock").unlink(missing_ok=True)


def all_runs(root: Path | None = None) -> list[RunFolder]:
    """Every run under `root`, oldest first."""
    found = [path.parent for path in (root or runs_root()).glob("*/run.json")]
    return [RunFolder(path) for path in sorted(found, key=lambda p: ((p / "run.json").stat().st_mtime, p.name))]


def find_run(name: str) -> RunFolder:
    """The run at the path `name`, called `name`, or else the newest whose name starts with `name`.

    Raises:
        InputError: there is none.
    """
    for path in (Path(name).absolute(), runs_root() / Path(name).name):
        if os.path.isfile(path / "run.json"):  # noqa: PTH113  also answers for names that no file can have
            return RunFolder(path)
    started = [run for run in all_runs() if name and run.name.startswith(name)]
    if started:
        return started[-1]
    raise InputError(f"{name}: no such run in {runs_root()}; `agentad runs list` shows the runs there are")


def _sizes(folder: Path) -> dict[str, int]:
    files = [path for path in folder.rglob("*") if path.is_file() and path != folder / STEP]
    return {path.relative_to(folder).as_posix(): path.stat().st_size for path in sorted(files)}


def _cpu_seconds() -> float:
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system
