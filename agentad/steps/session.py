"""What the steps of one run share."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from agentad.flow import DataProfile, Plan, Request
from agentad.flow.report import UNSUPERVISED
from agentad.llm.closed import closed
from agentad.modalities.split import Split
from agentad.planning.recipes import load_plan
from agentad.store.arrays import load_state
from agentad.store.runs import RunFolder
from agentad.tools.adapter import load
from agentad.tools.fitted import FittedDetector
from agentad.tools.road import Progress, look, silent


@dataclass
class Session:
    """A run in progress. What a step wrote is read back from its folder: every step can be the first after a kill."""

    run: RunFolder
    request: Request
    plan_given: Plan | None = None
    """A plan to follow instead of asking a planner."""
    progress: Progress = silent

    def folder(self, step: str) -> Path:
        """Where a finished step's files are."""
        return self.run.path / step

    @cached_property
    def data(self) -> Any:
        """The data, opened once."""
        self.progress("looking at the data", 0, 1)
        opened = look(Path(self.request.data))
        self.progress("looking at the data", 1, 1)
        return opened

    @cached_property
    def profile(self) -> DataProfile:
        """What the profile step found."""
        return closed(DataProfile, self.run.read("profile/profile.json"), str(self.folder("profile")))

    @cached_property
    def plan(self) -> Plan:
        """What the plan step decided."""
        return load_plan(self.folder("plan") / "plan.yaml")

    @cached_property
    def split(self) -> Split:
        """What the split step drew."""
        arrays, settings = load_state(self.folder("split"))
        parts = {name: arrays[name] for name in ("train", "test", "scored", "known")}
        return Split(**parts, notes=tuple(settings["notes"]))

    @cached_property
    def fitted(self) -> FittedDetector:
        """The detector in place: what the fit step made, with the adapter of an adopted round."""
        return load(self.detector)

    @property
    def adapted(self) -> bool:
        """Whether a round was adopted."""
        return (self.folder("adapt") / "detector").is_dir()

    @property
    def detector(self) -> Path:
        """Folder of the detector in place, once all rounds are done."""
        return self.folder("adapt" if self.adapted else "fit") / "detector"

    def beside(self) -> dict[str, Path]:
        """What the detector is compared with, by name, and where it is: itself before the rounds, and its baselines."""
        before = {UNSUPERVISED: self.folder("fit") / "detector"} if self.adapted else {}
        return before | {step.tool: self.folder("fit") / "baselines" / step.tool for step in self.plan.baselines}

    @property
    def methods(self) -> list[str]:
        """The detector's name, then what it is compared with."""
        return [self.plan.detector.tool, *self.beside()]
