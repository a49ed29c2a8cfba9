"""The rounds in words. Texts from the data are in it as they came: the templates clean them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agentad import flow
from agentad.report.compare import NAMES
from agentad.report.text import chance, count, measure, number, percent
from agentad.report.words import noun

CHECKS = {
    "visibility": "anything can be seen",
    "placement": "the mask lies on the object",
    "agreement": "the mask is where the change is",
    "realism": "it is like anything real",
    "type": "it is of the type it claims",
    "judge": "a vision-language model takes it for real",
}
"""What each verifier looks for. Others are shown by their names."""
PLACES = {"object": "on the object", "centre": "in the centre", "edge": "at the edge", "anywhere": "anywhere"}
GROUPS = {"type": "Type", "size": "Size", "place": "Place", "strength": "Strength", "normals": "Normals"}
UNPROVEN = "No real anomaly was known, so nothing is proven: rounds were only kept from raising more false alarms."


def learned(one: flow.Round) -> str:
    """What a round learned from."""
    if one.generator is None:
        return "real anomalies alone"
    return f"{one.made:,} invented with {one.generator}"


def metric(decision: flow.Decision) -> str:
    """What was compared, as the page calls it."""
    if decision.metric == "false_alarm_rate":
        return "false alarms"
    plain = decision.metric.removeprefix("macro_")
    return ("mean " if plain != decision.metric else "") + NAMES.get(plain, plain)


def value(decision: flow.Decision, one: float) -> str:
    """A value of the metric of `decision`."""
    return percent(one) if decision.metric == "false_alarm_rate" else measure(one)


def change(decision: flow.Decision) -> str | None:
    """From which value to which; None where nothing was compared."""
    if decision.before is None or decision.after is None:
        return None
    return f"{value(decision, decision.before)} to {value(decision, decision.after)}"


def adopted(decision: flow.Decision) -> str:
    """Whether the candidate took the detector's place."""
    return "adopted" if decision.adopted else "not adopted"


def reason(decision: flow.Decision) -> str:
    """Why, without the figures that the gate puts before it."""
    said = decision.why
    if decision.interval is not None and ": " in said:
        said = said.split(": ", 1)[1]
    return said[:1].upper() + said[1:]


def line(one: flow.Round) -> str:
    """A round in one line."""
    decision = one.decision
    found = change(decision)
    if found is None:
        return f"Round {one.number}: {learned(one)}: {adopted(decision)}. {reason(decision)}"
    sure = "" if decision.p_value is None else f" (p {chance(decision.p_value)})"
    return f"Round {one.number}: {learned(one)}; {metric(decision)} {found}{sure}: {adopted(decision)}"


def entry(one: flow.Round) -> dict[str, Any]:
    """A round as the report's table has it."""
    decision = one.decision
    both = decision.before is not None and decision.after is not None
    return {
        "number": one.number,
        "learned": learned(one),
        "rejected": "–" if one.generator is None else f"{sum(one.rejected.values()):,}",
        "dropped": "–" if one.generator is None else f"{one.dropped:,}",
        "metric": metric(decision),
        "before": value(decision, decision.before) if both and decision.before is not None else None,
        "after": value(decision, decision.after) if both and decision.after is not None else None,
        "interval": interval(decision),
        "p": decision.p_value,
        "adopted": adopted(decision),
        "reason": reason(decision),
    }


def interval(decision: flow.Decision) -> str | None:
    """Of the difference, with signs."""
    if decision.interval is None:
        return None
    low, high = decision.interval
    return f"{low:+.3f} to {high:+.3f}".replace("-", "−")


def unproven(report: flow.Report) -> str | None:
    """That nothing is proven, where no round was tried on a real anomaly."""
    told = [one.decision for one in report.rounds if one.decision.before is not None]
    return UNPROVEN if told and not any(one.anomalies for one in told) else None


def basis(report: flow.Report, decision: flow.Decision) -> str | None:
    """What a decision rests on."""
    parts = [
        f"{decision.anomalies:,} real {'anomaly' if decision.anomalies == 1 else 'anomalies'}"
        if decision.anomalies
        else "",
        count(decision.normals, f"normal {noun(report)}") if decision.normals else "",
    ]
    return " and ".join(part for part in parts if part) or None


@dataclass(frozen=True)
class Wanted:
    """One portion of a mix."""

    share: float
    kind: str | None
    """Type it is to be like; None: any."""
    asked: tuple[str, ...]
    """What else was asked of it."""


def wanted(mix: flow.Mix | None) -> list[Wanted]:
    """What a round was to make, the largest part first."""
    portions = () if mix is None else mix.portions
    whole = sum(portion.weight for portion in portions)
    found = [
        Wanted(portion.weight / whole if whole > 0 else 0.0, portion.brief.kind, tuple(_asked(portion)))
        for portion in portions
    ]
    return sorted(found, key=lambda one: -one.share)


def _asked(portion: flow.Portion) -> list[str]:
    brief = portion.brief
    low, high = brief.strength
    found = [
        f"drawn as a {brief.shape}" if brief.shape else "",
        f"covering {percent(brief.size[0])} to {percent(brief.size[1])} of the image" if brief.size else "",
        PLACES[brief.place] if brief.place else "",
        "" if low == high == 1 else f"{_range(low, high)} times the contrast of the real one",
        f"showing “{brief.text}”" if brief.text else "",
        f"{percent(portion.hard_normals)} of them on normals that look most like anomalies"
        if portion.hard_normals
        else "",
    ]
    return [text for text in found if text]


def _range(low: float, high: float) -> str:
    return number(low) if low == high else f"{number(low)} to {number(high)}"


@dataclass(frozen=True)
class Seat:
    """A verifier that was used."""

    name: str
    looks: str
    overkill: str
    miss: str
    rejected: int


def seated(one: flow.Round) -> list[Seat]:
    """The verifiers that were used, with how far they are to be believed."""
    return [
        Seat(r.verifier, CHECKS.get(r.verifier, ""), _of(r.overkill, r.good), _of(r.miss, r.bad), _rejected(one, r))
        for r in one.reliabilities
        if r.used
    ]


def _of(share: float | None, n: int) -> str:
    return "–" if share is None else f"{percent(share)} of {n:,}"


def _rejected(one: flow.Round, reliability: flow.Reliability) -> int:
    return one.rejected.get(reliability.verifier, 0)


def left_out(one: flow.Round, modality: flow.Modality) -> list[tuple[str, str]]:
    """Verifiers that were not used, with the reason; without those that have nothing to say of rows."""
    return [
        (r.verifier, r.why) for r in one.reliabilities if not r.used and not (modality == "table" and r.abstained >= 1)
    ]


def other_rejections(one: flow.Round) -> list[tuple[str, int]]:
    """Rejections by none of the verifiers that were used: generators that found no place."""
    used = {r.verifier for r in one.reliabilities if r.used}
    return [(name, n) for name, n in one.rejected.items() if name not in used]


def blind(spots: Sequence[flow.Spot], report: flow.Report) -> str | None:
    """How many real items are wrong; None where there are none."""
    typed = [spot for spot in spots if spot.by == "type"]
    normal = [spot for spot in spots if spot.by == "normals"]
    missed, anomalies = sum(s.wrong for s in typed), sum(s.items for s in typed)
    raised, normals = sum(s.wrong for s in normal), sum(s.items for s in normal)
    real = "real anomaly" if anomalies == 1 else "real anomalies"
    parts = [
        f"of {anomalies:,} {real} {missed:,} {_be(missed)} missed" if anomalies else "",
        f"of {count(normals, f'normal {noun(report)}')} {raised:,} {_be(raised)} falsely flagged" if normals else "",
    ]
    said = ", ".join(part for part in parts if part)
    return f"{said[0].upper()}{said[1:]}." if said else None


def _be(n: int) -> str:
    return "is" if n == 1 else "are"


def group_name(spot: flow.Spot, noun: str) -> str:
    """What a spot is called where it has no name of its own."""
    if spot.value:
        return spot.value
    return f"all {noun}s" if spot.by == "normals" else "of no named type"
