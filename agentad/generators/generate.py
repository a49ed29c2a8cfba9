"""From a generator's vectors to valid rows with an origin, none of them a copy of a real one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from agentad.errors import Infeasible, InputError
from agentad.flow import Column, Constraint, Synthesis, SyntheticRow, Value
from agentad.generators.base import Floats32, Hold, RowGenerator
from agentad.generators.memorised import LEAST_RATIO, RealRows
from agentad.modalities.table import TableEncoder
from agentad.modalities.table.conditions import Targets, checked, decided, met
from agentad.modalities.table.rows import Rows, completed

_TRIES = 8
_SPARE = 1.3
"""Rows drawn for each one that is still missing."""
_NEXT = 1_000_003
"""Between the seeds of successive draws."""


@dataclass(frozen=True)
class Generated:
    """n invented rows in three forms."""

    rows: Rows
    """Cells, with the real table's columns."""
    encoded: Floats32
    """(n, d) what the encoder makes of these cells: what a detector should learn from."""
    synthesis: Synthesis


def generate_rows(
    generator: RowGenerator,
    encoder: TableEncoder,
    *,
    normal: Rows,
    anomalous: Rows,
    columns: Sequence[Column],
    n: int,
    tool: str,
    params: Mapping[str, Value] | None = None,
    conditions: Sequence[Constraint] = (),
    stretch: float = 0.5,
    seed: int = 0,
) -> Generated:
    """Fit `generator` to real rows and invent `n` anomalous ones. The same seed gives the same rows.

    Args:
        generator: what invents rows; it is fitted here.
        encoder: fitted on the normal rows.
        normal: normal rows.
        anomalous: real anomalies, perhaps none.
        columns: of the table, as profiled.
        n: rows wanted.
        tool: name of the generator's card.
        params: its settings, for the record.
        conditions: what every row has to be.
        stretch: how far numbers may leave the range of the real rows, in units of its width; conditions may go further.
        seed: decides all draws.

    Raises:
        InputError: too few anomalies for this generator, or a condition on a column that cannot hold it.
        Infeasible: no such rows could be found.
    """
    checked(conditions, encoder)
    if len(anomalous) < generator.fewest:
        raise InputError(
            f"{tool} needs at least {generator.fewest} real anomalies, got {len(anomalous)}; neighbour-rows needs none"
        )
    source = _Source(generator, encoder, normal, anomalous, tuple(conditions), stretch, seed)
    found, dropped = source.draw(n, seed, ())
    for k in range(1, _TRIES):
        if len(found.told) < n:
            more, missed = source.draw(n - len(found.told), seed + _NEXT * k, tuple(one.id for one in found.told))
            found, dropped = found.joined(more), dropped + missed
    if len(found.told) < n:
        raise Infeasible(
            f"{tool} found {len(found.told)} of {n} rows that differ from every real one and meet the conditions; "
            "ask for fewer, or for weaker conditions"
        )
    rows = Rows(completed(found.rows.frame, normal.frame, columns), found.rows.id)
    synthesis = Synthesis(
        tool=tool,
        params=dict(params or {}),
        seed=seed,
        conditions=tuple(conditions),
        rows=found.told,
        dropped=dropped,
    )
    return Generated(rows, found.encoded, synthesis)


@dataclass(frozen=True)
class _Found:
    rows: Rows
    encoded: Floats32
    told: tuple[SyntheticRow, ...]

    def joined(self, more: _Found) -> _Found:
        return _Found(
            self.rows.joined(more.rows), np.concatenate([self.encoded, more.encoded]), (*self.told, *more.told)
        )


class _Source:
    """A fitted generator and the real rows it learned from."""

    def __init__(
        self,
        generator: RowGenerator,
        encoder: TableEncoder,
        normal: Rows,
        anomalous: Rows,
        conditions: tuple[Constraint, ...],
        stretch: float,
        seed: int,
    ) -> None:
        self._encoder, self._normal, self._anomalous = encoder, normal, anomalous
        self._conditions, self._stretch = conditions, stretch
        x, self._rare = encoder.encode(normal.frame), encoder.encode(anomalous.frame)
        self._generator = generator.fit(x, self._rare, seed=seed)
        self._real = RealRows(x, self._rare)
        self._all = normal.joined(anomalous)
        self._constant = (x == x[0]).all(axis=0) & (self._rare == x[0]).all(axis=0)

    def draw(self, n: int, seed: int, before: tuple[str, ...]) -> tuple[_Found, int]:
        """Up to `n` rows, numbered on from `before`, and how many were no good."""
        size = int(np.ceil(_SPARE * n))
        targets = self._targets(size, seed)
        drawn = self._generator.sample(size, seed=seed, hold=self._hold(targets))
        cells = targets.apply(self._encoder.decode(drawn.rows, seed=seed, stretch=self._stretch, seen=self._rare))
        encoded = self._encoder.encode(cells)
        ratio, nearest = self._real.nearest(encoded)
        good = met(cells, targets.conditions, self._encoder) & (ratio >= LEAST_RATIO)
        chosen = np.flatnonzero(good)[:n]
        ids = tuple(f"synthetic-{len(before) + i}" for i in range(len(chosen)))
        told = tuple(
            SyntheticRow(
                id=name,
                anomaly=_named(self._anomalous, drawn.anomaly[i]),
                normal=_named(self._normal, drawn.normal[i]),
                nearest=self._all.id[nearest[i]],
                distance_ratio=float(ratio[i]),
            )
            for name, i in zip(ids, chosen, strict=True)
        )
        return _Found(Rows(cells[chosen], ids), encoded[chosen], told), int((~good).sum())

    def _targets(self, n: int, seed: int) -> Targets:
        """What the conditions decide, on the model of real anomalies, or of normal rows where there are none."""
        like = self._anomalous if len(self._anomalous) else self._normal
        base = like.take(np.random.default_rng(seed).integers(len(like), size=n))
        return decided(self._conditions, self._encoder, base.frame, self._all.frame, seed)

    def _hold(self, targets: Targets) -> Hold:
        """Columns that conditions decide, and those in which no real row differs from another."""
        decided_columns = np.isin(self._encoder.columns, list(targets.columns))
        return decided_columns | self._constant, self._encoder.encode(targets.base)


def _named(rows: Rows, index: np.int64) -> str | None:
    return rows.id[index] if index >= 0 else None
