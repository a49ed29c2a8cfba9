"""The loop that all benches share: every data set, every seed, every method; nothing twice, and no failure ends it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any, Protocol

from agentad.bench.case import Case
from agentad.bench.cost import Cost, forget_peak, timed
from agentad.bench.kept import Kept, Row, Shots
from agentad.bench.methods import Method, find, names
from agentad.bench.summary import best_of, summarise
from agentad.errors import AgentadError, InputError
from agentad.flow import Modality
from agentad.modalities.shown import encodable, shown
from agentad.planning.situation import Kind, Training
from agentad.steps.peak import peak_mb
from agentad.steps.score import Scored
from agentad.store.address import address, stat_fingerprint
from agentad.store.runs import runs_root
from agentad.store.version import code_version
from agentad.tools.cards import load_cards
from agentad.tools.road import Progress, road

Asked = tuple[Shots, str]
"""One method at a number of labelled anomalies."""


class Suite(Protocol):
    """What one bench is about."""

    name: str
    modality: Modality
    training: Training
    baselines: tuple[str, ...]
    """Methods that always run."""
    on_request: tuple[str, ...] = ()
    """Baselines that run when they are named."""
    metrics: tuple[str, ...]
    """Keys of a row; the first one ranks."""
    per_item: tuple[str, ...]
    """Keys of a row that are costs, of which means are of interest."""
    parts: tuple[str, ...] = ()
    """Keys of a row that say what its `fit_s` is made of."""
    kind: Kind = "detector"
    """Of the tools that are compared."""
    shots: tuple[Shots, ...] = (None,)
    """Numbers of labelled anomalies that every method runs with."""
    options: dict[str, Any]
    """What else decides the result."""

    def datasets(self, root: Path) -> dict[str, Path]:
        """The data sets below `root` by name, in order."""
        ...

    def refusal(self, data: Any) -> str | None:
        """Why opened data is no data set of this suite, or None."""
        ...

    def case(self, data: Any, seed: int, before: Case | None, progress: Progress) -> Case:
        """The data split and encoded. `before` is the case of the seed before this one."""
        ...

    def method(self, name: str, case: Case, shots: Shots) -> Method:
        """The method called `name`, to learn from the case and `shots` labelled anomalies."""
        return find(name, case)

    def row(self, case: Case, scored: Scored, cost: Cost) -> Row:
        """Metrics and costs of one method."""
        ...


class Bench:
    """A suite over the data sets below `roots`.

    Of several roots, each one's name comes before the names of its data sets.

    Raises:
        InputError: nothing there, two data sets of one name, an unknown detector, or a file that cannot keep rows.
    """

    def __init__(
        self, suite: Suite, roots: Sequence[Path], *, detectors: str, seeds: int, out: Path | None, progress: Progress
    ) -> None:
        if seeds < 1:
            raise InputError(f"seeds {seeds}: give at least 1")
        self._suite, self._seeds, self._progress = suite, seeds, progress
        self._roots = [root.absolute() for root in roots]
        self._detectors = names(
            detectors,
            suite.modality,
            suite.training,
            suite.baselines,
            kind=suite.kind,
            on_request=suite.on_request,
        )
        self._baselines = tuple(n for n in self._detectors if n in (*suite.baselines, *suite.on_request))
        self._datasets = _datasets(suite, self._roots)
        # of the data sets alone: the rows may be kept among them
        found = {name: stat_fingerprint(path) for name, path in self._datasets.items()}
        cards = {name: card.model_dump(mode="json") for name, card in load_cards().items()}
        made_by = address(suite.name, suite.options, found, cards, code_version())
        self._kept = Kept(out or runs_root() / "bench" / f"{suite.name}-{made_by}.jsonl", made_by)
        self._skipped: dict[str, str] = {}

    def run(self) -> dict[str, Any]:
        """Measure what is not measured yet. The document of `agentad bench --json`."""
        for done, (name, path) in enumerate(self._datasets.items()):
            self._progress("data sets", done, len(self._datasets))
            self._measure(name, path)
        self._progress("data sets", len(self._datasets), len(self._datasets))
        return self._document()

    def _document(self) -> dict[str, Any]:
        suite = self._suite
        rows = self._kept.rows(list(self._datasets), self._detectors, self._seeds, suite.shots)
        summary = [entry for shots in suite.shots for entry in self._summary(rows, shots)]
        return {
            "suite": suite.name,
            **suite.options,
            "data": ", ".join(shown(root) for root in self._roots),
            "seeds": self._seeds,
            "best_baseline": best_of(summary, self._baselines, suite.metrics[0]),
            "rows": rows,
            "summary": summary,
            "skipped": [{"path": name, "reason": reason} for name, reason in self._skipped.items()],
            "code": code_version(),
            "kept": shown(self._kept.path),
        }

    def _summary(self, rows: Sequence[Row], shots: Shots) -> list[dict[str, Any]]:
        """One entry per detector, from the rows with these shots alone."""
        suite = self._suite
        found = summarise(
            [row for row in rows if row.get("shots") == shots],
            detectors=self._detectors,
            baselines=self._baselines,
            metrics=suite.metrics,
            per_item=suite.per_item,
            parts=suite.parts,
        )
        return [_who(entry.pop("detector"), shots) | entry for entry in found]

    def _measure(self, name: str, path: Path) -> None:
        wanted = {seed: self._unfinished(name, seed) for seed in range(self._seeds)}
        wanted = {seed: asked for seed, asked in wanted.items() if asked}
        if not wanted:
            return
        try:
            data = road(self._suite.modality).look(path)
        except AgentadError as error:
            for seed, asked in wanted.items():
                self._fail(name, asked, seed, error)
            return
        reason = self._suite.refusal(data)
        if reason:
            self._skipped[name] = reason
            return
        case: Case | None = None
        for seed, asked in wanted.items():
            try:
                case = self._suite.case(data, seed, case, self._progress)
            except Exception as error:  # whatever it was, the other data sets are not to suffer
                self._fail(name, asked, seed, error)
            else:
                self._compare(name, case, asked)

    def _unfinished(self, dataset: str, seed: int) -> list[Asked]:
        asked = product(self._suite.shots, self._detectors)
        return [(shots, name) for shots, name in asked if not self._kept.finished(dataset, name, seed, shots)]

    def _compare(self, dataset: str, case: Case, asked: Sequence[Asked]) -> None:
        measured: dict[str, Row] = {}
        for shots, name in asked:
            try:
                method = self._suite.method(name, case, shots)
                if method.same not in measured:
                    measured[method.same] = self._suite.row(method.case or case, *_scored(method))
            except Exception as error:  # as above, for the other methods
                self._fail(dataset, [(shots, name)], case.plan.seed, error)
                continue
            who = {"dataset": dataset, **_who(name, shots), "seed": case.plan.seed}
            made_of = {"tool": method.tool, "diffusion": method.diffusion}
            self._kept.add({**who, **measured[method.same], **made_of})

    def _fail(self, dataset: str, asked: Sequence[Asked], seed: int, error: Exception) -> None:
        reason = str(error) if isinstance(error, AgentadError) else f"{type(error).__name__}: {error}"
        for shots, name in asked:
            self._kept.add({"dataset": dataset, **_who(name, shots), "seed": seed, "error": reason})


def _datasets(suite: Suite, roots: Sequence[Path]) -> dict[str, Path]:
    """The data sets of all roots by name."""
    found: dict[str, Path] = {}
    for root in roots:
        below = suite.datasets(root)
        if not below:
            raise InputError(f"{shown(root)}: holds no data set for `bench {suite.name}`")
        for name, path in below.items():
            full = name if len(roots) == 1 or path == root else f"{encodable(root.name)}/{name}"
            if full in found:
                raise InputError(
                    f"{shown(found[full])} and {shown(path)} would both be called {full}; give a folder that holds both"
                )
            found[full] = path
    return found


def _who(detector: str, shots: Shots) -> dict[str, Any]:
    return {"detector": detector} if shots is None else {"detector": detector, "shots": shots}


def _scored(method: Method) -> tuple[Scored, Cost]:
    forget_peak()
    learned, fit_s = timed(method.learn)
    scored, score_s = timed(learned.scored)
    return scored, Cost(round(fit_s, 4), round(score_s, 4), round(peak_mb(), 1), learned.parts)
