"""How far each verifier can be believed, measured on samples that are known to be good or bad.

Cross-fitted: normals and real anomalies are dealt into folds, groups kept together. A verifier learns from all folds
but one and measures the samples that come from that one; the cut for them is chosen on the samples of the others. So
overkill and miss are of samples that neither the verifier nor the cut has seen. What is used afterwards has learned
from all of them.

The cut lets pass what is in doubt. It is the lowest that rejects 90 % of each sort of known bad samples; where that
would reject more than 10 % of the known good ones, the highest that does not. It is raised further as long as that
costs no other known good sample, but not where manipulated normals stand in for real anomalies: they are so plain that
much which should pass lies below them. Where they do, the overkill is mostly of them, and that of real anomalies may be
higher; `Tried.rejected` tells them apart. A verifier is left out when it abstains on more than half of the samples, or
when Fisher's exact test (one-sided) does not find, at `LEVEL`, that good ones pass more often than bad ones.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import fisher_exact

from agentad.detectors.base import Floats, Ints
from agentad.detectors.folds import group_folds
from agentad.flow import Reliability
from agentad.verifiers.base import Candidates, Verifier
from agentad.verifiers.known import Encode, Known, Sort, known_samples

FOLDS = 5
CAUGHT = 0.9
"""Share of each sort of known bad samples that a cut is to reject."""
FEW = 5
"""Samples of a sort, below which it has no say in the cut, unless no sort has more."""
MOST_OVERKILL = 0.1
"""Share of the known good ones that it may reject for that."""
LEVEL = 0.01
MOST_ABSTAINED = 0.5
ENOUGH = 10
"""Real anomalies from which obvious manipulations are not needed."""
COSTLY = 8
"""Samples of a sort that a costly verifier is tried on."""


@dataclass(frozen=True)
class Tried:
    """A verifier, fitted on everything, and what came of trying it."""

    verifier: Verifier
    reliability: Reliability
    rejected: dict[Sort, float]
    """Share of the samples of each sort that it rejects, of those it says something on."""


def calibrated(
    verifiers: Sequence[Verifier],
    normal: Candidates,
    real: Candidates,
    encode: Encode | None = None,
    *,
    seed: int = 0,
) -> list[Tried]:
    """Try each of `verifiers`, then fit it on everything.

    Args:
        verifiers: unfitted.
        normal: normal items with held-out scores; images with `images`, their masks are not looked at.
        real: real anomalies with held-out scores, perhaps none; those of one group count once.
        encode: what the detector says of altered images or encoded rows. Without it obvious manipulations and garbage
            are left out.
        seed: decides all draws.
    """
    known = known_samples(normal, real, encode, seed=seed)
    folds = (_folds(normal, seed), _folds(real, seed + 1))
    return [_tried(verifier, normal, real, known, folds, seed) for verifier in verifiers]


def chosen_cut(good: Floats, bad: Sequence[Floats], *, raised: bool) -> float | None:
    """The cut between the values of known good samples and those of each sort of bad ones; below it is rejected.

    It lies half way between two values, or at the lowest; `raised` as far as costs no further good sample. None without
    any of either.
    """
    some = [values for values in bad if len(values)]
    if not len(good) or not some:
        return None
    sorts = [values for values in some if len(values) >= FEW] or [np.concatenate(some)]
    values = np.unique(np.concatenate([good, *sorts]))
    cuts = np.insert((values[:-1] + values[1:]) / 2, 0, values[0])
    overkill = np.searchsorted(np.sort(good), cuts) / len(good)
    caught = np.min([np.searchsorted(np.sort(own), cuts) / len(own) for own in sorts], axis=0)
    allowed = overkill <= MOST_OVERKILL
    enough = np.flatnonzero(allowed & (caught >= CAUGHT))
    chosen = enough[0] if len(enough) else np.flatnonzero(allowed)[-1]
    if raised:
        rejects = np.searchsorted(np.sort(np.concatenate(sorts)), cuts)
        costless = np.flatnonzero(overkill == overkill[chosen])
        chosen = costless[np.argmax(rejects[costless])]
    return float(cuts[chosen])


@dataclass(frozen=True)
class _Values:
    """What a verifier measured of n samples."""

    value: Floats
    sort: NDArray[np.object_]
    good: NDArray[np.bool_]
    fold: Ints
    stand_ins: bool = False
    """Whether some good ones are manipulated normals, for want of real anomalies."""

    @property
    def said(self) -> NDArray[np.bool_]:
        return np.isfinite(self.value)

    def cut(self, among: NDArray[np.bool_]) -> float | None:
        among = among & self.said
        bad = among & ~self.good
        sorts = sorted(set(self.sort[bad].tolist()))
        values = [self.value[bad & (self.sort == sort)] for sort in sorts]
        return chosen_cut(self.value[among & self.good], values, raised=not self.stand_ins)

    def passed(self) -> NDArray[np.bool_]:
        """(n,) at the cut chosen on the other folds."""
        passed = np.ones(len(self.value), dtype=bool)
        for k in np.unique(self.fold):
            cut = self.cut(self.fold != k)
            if cut is not None:
                own = self.fold == k
                passed[own] = ~(self.value[own] < cut)
        return passed


def _tried(
    verifier: Verifier,
    normal: Candidates,
    real: Candidates,
    known: dict[Sort, Known],
    folds: tuple[Ints, Ints],
    seed: int,
) -> Tried:
    values = _measured(verifier, normal, real, known, folds, seed)
    verifier.fit(normal, real, seed=seed)
    passed, said, good = values.passed(), values.said, values.good
    rejected = {sort: float(1 - passed[said & (values.sort == sort)].mean()) for sort in _sorts(values)}
    table = [[int((said & of & p).sum()) for p in (passed, ~passed)] for of in (good, ~good)]
    counts = [sum(row) for row in table]
    reliability = Reliability(
        verifier=verifier.name,
        used=False,
        cut=values.cut(np.ones(len(said), dtype=bool)),
        overkill=table[0][1] / counts[0] if counts[0] else None,
        miss=table[1][0] / counts[1] if counts[1] else None,
        good=int(good.sum()),
        bad=int((~good).sum()),
        abstained=float(1 - said.mean()) if len(said) else 0.0,
    )
    why = _against(reliability, table)
    return Tried(verifier, reliability.model_copy(update={"used": not why, "why": why}), rejected)


def _sorts(values: _Values) -> list[Any]:
    return sorted(set(values.sort[values.said].tolist()))


def _against(found: Reliability, table: list[list[int]]) -> str:
    """Why it is not used, or nothing."""
    if not found.good or not found.bad:
        return f"there is no known {'bad' if found.good else 'good'} sample to try it on"
    if found.abstained > MOST_ABSTAINED:
        return f"it says nothing on {found.abstained:.0%} of {found.good + found.bad} known samples"
    if not sum(table[0]) or not sum(table[1]):
        return f"it says nothing on any known {'bad' if sum(table[0]) else 'good'} sample"
    p = float(fisher_exact(table, alternative="greater").pvalue)
    if p <= LEVEL:
        return ""
    (kept, lost), (through, caught) = table
    return (
        f"no better than chance: it lets {kept} of {kept + lost} known good samples pass and {through} of "
        f"{through + caught} known bad ones (p = {p:.2g})"
    )


def _measured(
    verifier: Verifier,
    normal: Candidates,
    real: Candidates,
    known: dict[Sort, Known],
    folds: tuple[Ints, Ints],
    seed: int,
) -> _Values:
    parts: list[_Values] = []
    fitted: dict[int, Verifier] = {}
    for sort in _wanted(verifier, known):
        samples = known[sort]
        n = min(len(samples.items), COSTLY) if verifier.costly else len(samples.items)
        fold = np.where(samples.normal >= 0, _at(folds[0], samples.normal), _at(folds[1], samples.real))[:n]
        value = np.full(n, np.nan)
        for k in np.unique(fold).tolist():
            if k not in fitted:
                rest = [np.flatnonzero(of != k) for of in folds]
                fitted[k] = copy.copy(verifier).fit(normal.take(rest[0]), real.take(rest[1]), seed=seed)
            own = np.flatnonzero(fold == k)
            value[own] = fitted[k].measure(samples.items.take(own))
        parts.append(_Values(value, np.full(n, sort, object), np.full(n, sort in ("real", "made")), fold))
    if not parts:
        return _Values(np.zeros(0), np.zeros(0, object), np.zeros(0, bool), np.zeros(0, np.int64))
    values, sorts, good, folded = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("value", "sort", "good", "fold")
    )
    return _Values(values, sorts, good, folded, "real" in verifier.good and "made" in sorts)


def _wanted(verifier: Verifier, known: dict[Sort, Known]) -> list[Sort]:
    enough = "real" in verifier.good and "real" in known and len(known["real"].items) >= ENOUGH
    good = [sort for sort in verifier.good if sort == "real" or not enough]
    return [sort for sort in (*good, *verifier.catches) if sort in known]


def _at(fold: Ints, index: Ints) -> Ints:
    return fold[np.maximum(index, 0)] if len(fold) else np.zeros(len(index), np.int64)


def _folds(items: Candidates, seed: int) -> Ints:
    """(n,) fold of each item; one group alone is one fold."""
    groups = np.arange(len(items)) if items.judged.group is None else np.asarray(items.judged.group)
    if len(np.unique(groups)) < 2:
        return np.zeros(len(items), np.int64)
    return group_folds(groups, FOLDS, seed)
