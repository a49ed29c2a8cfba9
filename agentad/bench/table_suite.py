"""The protocols `semi` and `contaminated`: labelled tables, split or not, and what a row says about a method."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np

from agentad.bench import baselines
from agentad.bench.case import Case, encoded, planned
from agentad.bench.cost import Cost
from agentad.bench.kept import Row
from agentad.bench.suite import Suite
from agentad.errors import Infeasible
from agentad.flow import DataProfile, Modality, Plan
from agentad.metrics import ap, auroc
from agentad.modalities.shown import encodable
from agentad.modalities.split import split_items
from agentad.modalities.table import files
from agentad.modalities.table import recognise as recognise_table
from agentad.planning.situation import Training
from agentad.steps.score import Scored
from agentad.tools.road import Indices, Progress


class Tables(Suite):
    """The suite `tables`."""

    name = "tables"
    modality: Modality = "table"
    metrics: tuple[str, ...] = ("auroc", "ap")
    per_item: tuple[str, ...] = ()

    def __init__(self, protocol: Literal["semi", "contaminated"], max_rows: int) -> None:
        self.training: Training = "normal" if protocol == "semi" else "contaminated"
        self.baselines = baselines.installed()
        self.on_request = baselines.on_request()
        self.options: dict[str, Any] = {"protocol": protocol, "max_rows": max_rows, "pyod": baselines.pyod_version()}
        self._max_rows = max_rows

    def datasets(self, root: Path) -> dict[str, Path]:
        """Each table file by its path below `root` without its ending, unless two would be called the same."""
        if not root.is_dir():
            return {root.stem: root}
        found = [path for path in files.walk(root) if recognise_table(path)]
        full = {path: encodable(path.relative_to(root).as_posix()) for path in found}
        short = {path: name.removesuffix(path.suffix) for path, name in full.items()}
        taken = list(short.values())
        return {short[path] if taken.count(short[path]) == 1 else full[path]: path for path in found}

    def refusal(self, data: Any) -> str | None:
        """A table without a column that says which rows are anomalous cannot be judged."""
        facts: DataProfile = data.profile
        return None if facts.normal and facts.anomalous else "no label column with normal and anomalous rows"

    def case(self, data: Any, seed: int, before: Case | None, progress: Progress) -> Case:
        """Thinned, split, and described to the planner as the protocol has it."""
        plan, train, test = self.split(data, seed)
        return encoded(plan, data, train, test, progress)

    def split(self, data: Any, seed: int) -> tuple[Plan, Indices, Indices]:
        """The plan, and sorted positions of the rows to learn from and to judge. Without labels the planner sees none.

        Raises:
            Infeasible: too few rows to learn from.
        """
        label = data.items.label
        usable = np.flatnonzero(label >= 0) if self.training == "normal" else np.arange(len(label))
        rows = usable[thinned(label[usable], self._max_rows)]
        split = split_items(data.items.take(rows), self.training, seed)
        normal, anomalous = (int((label[rows] == value).sum()) for value in (0, 1))
        if self.training == "contaminated":
            normal = anomalous = 0
        counts = {"items": len(rows), "normal": normal, "anomalous": anomalous}
        counts["unlabelled"] = len(rows) - normal - anomalous
        plan = planned(data, data.profile.model_copy(update=counts), seed)
        if len(split.train) < 2:
            raise Infeasible(f"{len(split.train)} normal row(s) to learn from after the split, at least 2 are needed")
        return plan, rows[split.train], rows[split.test]

    def row(self, case: Case, scored: Scored, cost: Cost) -> Row:
        """`auroc`, `ap`, CPU seconds, and how many rows were there, used, learned from and judged."""
        labels = case.labels
        return {
            "auroc": auroc(scored.item, labels),
            "ap": ap(scored.item, labels),
            "fit_s": cost.fit_s,
            "score_s": cost.score_s,
            "encode_s": round(case.learn_s + case.encode_s, 4),
            "peak_mb": cost.peak_mb,
            "rows": len(case.data.items),
            "used": case.used,
            "learned": len(case.train),
            "judged": len(case.test),
            "anomalous": int((labels == 1).sum()),
        }


def thinned(label: Indices, most: int) -> Indices:
    """Sorted positions of about `most` of the items, each label by the same share and at least one of each.

    The same every time, so that seeds and methods share them.

    Args:
        label: (n,) any integers.
        most: items wanted.
    """
    if len(label) <= most:
        return np.arange(len(label))
    generator = np.random.default_rng(0)
    chosen = []
    for value in np.unique(label):
        own = np.flatnonzero(label == value)
        chosen.append(generator.choice(own, max(1, round(len(own) * most / len(label))), replace=False))
    return np.sort(np.concatenate(chosen))
