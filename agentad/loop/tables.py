"""The loop's workshop for tables."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

import numpy as np

from agentad.detectors.base import Floats, Scores
from agentad.detectors.judged import Judged, joined
from agentad.errors import Infeasible
from agentad.flow import Loop, Mix, SyntheticRow, Verdict
from agentad.generators import Generated, generate_rows
from agentad.loop.making import ATTEMPTS, dealt
from agentad.loop.workshop import Encode, Made, Places, Real, source_normals
from agentad.modalities.table import TableData
from agentad.modalities.table.rows import Rows
from agentad.store.arrays import load_state, save_state
from agentad.store.atomic import write_text
from agentad.tools.fitted import FittedDetector, make
from agentad.tools.road import Indices, Progress
from agentad.verifiers.base import Candidates
from agentad.verifiers.panel import Panel, usual

TABLE, ENCODED = "rows.parquet", "encoded"
_NEXT = 7_368_787
"""Between the seeds of successive attempts."""


def opened(
    loop: Loop,
    fitted: FittedDetector,
    data: TableData,
    held_out: tuple[Indices, Scores],
    known: Indices,
    *,
    seed: int,
    progress: Progress,
    encode: Encode | None = None,
) -> TableWorkshop:
    """See `workshop.workshop`."""
    index, scores = held_out
    progress("encoding for the loop", 0, 1)
    rows, rare = (Rows(data.take(at), tuple(data.items.id[at])) for at in (index, known))
    group = data.items.group
    normal_x, x = (
        encode(at) if encode else fitted.encoder.encode(part.frame) for at, part in ((index, rows), (known, rare))
    )
    normal = Judged(normal_x, scores, group=group[index])
    anomalies = Judged(x, fitted.scorer.score(x) if len(x) else scores.take(np.arange(0)), group=group[known])
    progress("encoding for the loop", 1, 1)
    source = source_normals(group[index], seed=seed)
    real = Real(normal, anomalies, index, known, data.items.kind[known], source)
    return TableWorkshop(loop, fitted, data, real, rows, rare)


class TableWorkshop:
    """See `Workshop`."""

    def __init__(
        self, loop: Loop, fitted: FittedDetector, data: TableData, real: Real, normal: Rows, known: Rows
    ) -> None:
        self.real = real
        self._loop, self._fitted, self._data = loop, fitted, data
        self._normal, self._known = normal, known

    @property
    def marked(self) -> None:
        """Rows have no masks."""

    def invent(self, known: Places, mix: Mix, n: int, *, seed: int, progress: Progress) -> Made:
        """See `Workshop.invent`. Rows of a portion with a kind are made from the known anomalies of that kind.

        Where too few valid rows can be found, the others are given up.
        """
        panel = self._panel(known, seed)
        kept: list[_Kept] = []
        rejected, left, number = Counter[str](), n, 0
        for attempt in range(ATTEMPTS):
            for kind, count in Counter(p.brief.kind for p in dealt(mix, left, np.random.default_rng(seed))).items():
                generated = self._generated(self._of_kind(known, kind), count, seed + attempt * _NEXT)
                if generated is None:
                    continue
                judged = self.judged(generated.encoded)
                looked = panel.inspect(Candidates(judged, np.full(len(judged), kind or "", object)))
                rejected.update(name for name in looked.rejected_by if name)
                good = np.flatnonzero(looked.accepted)
                kept.append(_Kept(generated, judged.take(good), good, number, looked.verdicts))
                number += len(good)
            left = n - number
            progress("inventing", number, n)
            if left <= 0:
                break
        if not number:
            raise Infeasible("no invented row passed; invent under weaker conditions, or with another generator")
        origins = tuple(origin for one in kept for origin in one.origins)
        rows = [one.generated.rows.take(one.good) for one in kept]
        return Made(
            joined([one.judged for one in kept]), origins, rows, dict(rejected), max(left, 0), panel.reliabilities
        )

    def _panel(self, known: Places, seed: int) -> Panel:
        """Verifiers that have seen the source normals and the `known` anomalies."""
        if not self._loop.verify:
            return Panel()
        source = np.flatnonzero(self.real.source)
        normal = Candidates(self.real.normal.take(source), np.full(len(source), "", object))
        real = Candidates(self.real.known.take(known), self.real.kinds[known])
        return Panel.fit(usual(), normal, real, self.judged, seed=seed)

    def _of_kind(self, known: Places, kind: str | None) -> Places:
        own = known[self.real.kinds[known] == kind]
        return own if len(own) else known

    def _generated(self, known: Places, n: int, seed: int) -> Generated | None:
        step = self._loop.generator
        assert step is not None  # noqa: S101  nobody asks a workshop without one
        try:
            return generate_rows(
                make(step),
                self._fitted.encoder,
                normal=self._normal.take(np.flatnonzero(self.real.source)),
                anomalous=self._known.take(known),
                columns=self._data.profile.table.columns if self._data.profile.table else (),
                n=n,
                tool=step.tool,
                params=step.params,
                conditions=self._loop.conditions,
                seed=seed,
            )
        except Infeasible:
            return None

    def save(self, made: Made, folder: Path) -> None:
        """`rows.parquet`, and where each row comes from as a line of `manifest.jsonl`."""
        rows: Rows = reduce(Rows.joined, made.what)
        rows.frame.write_parquet(folder / TABLE)
        save_state(folder / ENCODED, {"x": made.judged.x}, {})
        write_text(folder / "manifest.jsonl", "".join(f"{origin.model_dump_json()}\n" for origin in made.origins))

    def load(self, folder: Path) -> Judged:
        """See `Workshop.load`."""
        return self.judged(load_state(folder / ENCODED)[0]["x"])

    def judged(self, x: Floats) -> Judged:
        """Encoded rows (m, d) as heads see them."""
        return Judged(x, self._fitted.scorer.score(x))


@dataclass(frozen=True)
class _Kept:
    """What is left of one draw."""

    generated: Generated
    judged: Judged
    good: Places
    """Positions among the generated rows."""
    number: int
    """Rows kept before."""
    verdicts: tuple[tuple[Verdict, ...], ...]
    """Of each generated row."""

    @property
    def origins(self) -> list[SyntheticRow]:
        rows = self.generated.synthesis.rows
        return [
            rows[at].model_copy(update={"id": f"synthetic-{self.number + k}", "verdicts": self.verdicts[at]})
            for k, at in enumerate(self.good.tolist())
        ]
