"""Verifiers together: what they say of invented items, and which items may stay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from agentad.flow import Reliability, Verdict
from agentad.llm.structured import Chat
from agentad.verifiers.agreement import Agreement
from agentad.verifiers.base import Candidates, Verifier
from agentad.verifiers.calibrate import Tried, calibrated
from agentad.verifiers.judge import Judge
from agentad.verifiers.kind import Kind
from agentad.verifiers.known import Encode
from agentad.verifiers.placement import Placement
from agentad.verifiers.realism import Realism
from agentad.verifiers.visibility import Visibility


@dataclass(frozen=True)
class Inspection:
    """What a panel says of n items."""

    verdicts: tuple[tuple[Verdict, ...], ...]
    """Of each item, in the order in which its verifiers were asked."""

    @property
    def accepted(self) -> NDArray[np.bool_]:
        """(n,) whether no verifier rejects the item."""
        return np.array([name is None for name in self.rejected_by], dtype=bool)

    @property
    def rejected_by(self) -> tuple[str | None, ...]:
        """For each item the first verifier that rejects it."""
        return tuple(next((v.verifier for v in own if v.passed is False), None) for own in self.verdicts)

    @property
    def rejected(self) -> dict[str, int]:
        """By verifier: items that it rejects. An item that several reject counts for each."""
        names = [v.verifier for own in self.verdicts for v in own if v.passed is False]
        return {name: names.count(name) for name in dict.fromkeys(names)}


@dataclass(frozen=True)
class Panel:
    """Fitted verifiers, and how far each is to be believed. Without any, or any that is used, everything passes."""

    tried: tuple[Tried, ...] = ()

    @classmethod
    def fit(
        cls,
        verifiers: Sequence[Verifier],
        normal: Candidates,
        real: Candidates,
        encode: Encode | None = None,
        *,
        seed: int = 0,
    ) -> Self:
        """Calibrate `verifiers`; see `calibrate.calibrated`."""
        return cls(tuple(calibrated(verifiers, normal, real, encode, seed=seed)))

    @property
    def reliabilities(self) -> tuple[Reliability, ...]:
        """Of all verifiers, those that are left out among them."""
        return tuple(one.reliability for one in self.tried)

    def inspect(self, items: Candidates) -> Inspection:
        """Ask the verifiers that are used, costly ones last and only about items that are still accepted."""
        verdicts: list[list[Verdict]] = [[] for _ in range(len(items))]
        open_ = np.ones(len(items), dtype=bool)
        used = [one for one in self.tried if one.reliability.used and one.reliability.cut is not None]
        for one in sorted(used, key=lambda one: one.verifier.costly):
            asked = np.flatnonzero(open_) if one.verifier.costly else np.arange(len(items))
            if not len(asked):
                continue
            for i, verdict in zip(asked.tolist(), _verdicts(one, items.take(asked)), strict=True):
                verdicts[i].append(verdict)
                open_[i] &= verdict.passed is not False
        return Inspection(tuple(map(tuple, verdicts)))


def usual(chat: Chat | None = None) -> list[Verifier]:
    """All verifiers, unfitted, in the order in which they are asked; with a `chat` that sees pictures a judge as well.

    Those that have nothing to say of rows are left out when they are calibrated on rows.
    """
    cheap: list[Verifier] = [Visibility(), Placement(), Agreement(), Realism(), Kind()]
    return cheap if chat is None else [*cheap, Judge(chat)]


def _verdicts(one: Tried, items: Candidates) -> list[Verdict]:
    verifier, cut = one.verifier, float(one.reliability.cut or 0)
    values = verifier.measure(items).tolist()
    reasons: Sequence[str] = getattr(verifier, "reasons", None) or [""] * len(items)
    return [_verdict(verifier, value, cut, reason) for value, reason in zip(values, reasons, strict=True)]


def _verdict(verifier: Verifier, value: float, cut: float, reason: str) -> Verdict:
    if not np.isfinite(value):
        return Verdict(verifier=verifier.name, passed=None, why=reason or "nothing to tell it by")
    if value >= cut:
        return Verdict(verifier=verifier.name, passed=True, value=value)
    said = f"{verifier.checks}: {value:.3g}, less than {cut:.3g}"
    return Verdict(verifier=verifier.name, passed=False, value=value, why=f"{said} ({reason})" if reason else said)
