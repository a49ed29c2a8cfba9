"""The run in sentences. Every number comes from the report or is counted from its items."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

from agentad import flow
from agentad.report.compare import comparisons, learned, learning, sentence
from agentad.report.text import chance, count, number, percent

DOUBTFUL = 0.5
"""Disagreement of a detector's parts from which on a region is called unsure."""
NOUNS: dict[flow.Modality, str] = {"table": "row", "image": "image"}


def noun(report: flow.Report) -> str:
    """What one item is called."""
    return NOUNS[report.profile.modality]


def headline(report: flow.Report) -> str:
    """The answer in one line."""
    verb = "is" if 1 in (report.flagged, report.items) else "are"
    return f"{report.flagged:,} of {count(report.items, noun(report))} {verb} flagged"


def false_alarms(report: flow.Report) -> str:
    """What the threshold promises, and how sure that is."""
    t, item = report.threshold, noun(report)
    source = {
        "conformal": f"from {count(t.n_calibration, 'held-out normal ' + item)}",
        "empirical-null": f"from a fit to the bulk of {count(t.n_calibration, 'unlabelled score')}",
    }[t.method]
    return (
        f"The threshold is set so that about {percent(t.target_far)} of normal {item}s are flagged; the true share "
        f"lies between {percent(t.far_low)} and {percent(t.far_high)} (95 % interval, {source})."
    )


def expected_alarms(report: flow.Report) -> str | None:
    """How many flags mean nothing: what chance alone would raise. None where that is less than one item."""
    low, high = (round(far * report.items) for far in (report.threshold.far_low, report.threshold.far_high))
    if high == 0:
        return None
    span = f"about {low:,}" if low == high else f"between {low:,} and {high:,}"
    item = noun(report)
    return f"If all {count(report.items, item)} were normal, {span} would still be flagged."


def labelled(items: Sequence[flow.ScoredItem], labels: Mapping[str, int], item: str) -> str | None:
    """What the flags got right and wrong; None without labels."""
    known = [(labels[i.id], i.flag) for i in items if labels.get(i.id, -1) >= 0]
    if not known:
        return None
    bad, good = [f for label, f in known if label], [f for label, f in known if not label]
    parts = [
        f"of {count(len(bad), f'labelled anomalous {item}')}, {sum(bad):,} flagged and {len(bad) - sum(bad):,} missed",
        f"of {count(len(good), f'labelled normal {item}')}, {sum(good):,} flagged falsely",
    ]
    told = "; ".join(part for part, group in zip(parts, (bad, good), strict=True) if group)
    return f"{told[0].upper()}{told[1:]}."


def skipped(profile: flow.DataProfile) -> str | None:
    """How much of the data could not be used."""
    return f"{count(profile.n_skipped, 'file')} could not be used." if profile.n_skipped else None


def warnings(report: flow.Report) -> list[tuple[str, str]]:
    """What must not be overlooked, as (heading, text), gravest first."""
    losses = [("The baseline wins", sentence(c)) for c in comparisons(report) if c.lost]
    threshold = [("The threshold is uncertain", _whole(w))] if (w := report.threshold.warning) else []
    left_out = [("Data left out", s)] if (s := skipped(report.profile)) else []
    worse = [("The rounds did not help here", learned(c)) for c in learning(report) if c.lost]
    return threshold + losses + worse + left_out + [("Note", n) for n in report.notes]


def _whole(sentence: str) -> str:
    return f"{sentence[0].upper()}{sentence[1:].removesuffix('.')}."


def next_commands(report: flow.Report) -> list[tuple[str, str]]:
    """Three things to do next, as (what for, command)."""
    looser = 0.05 if report.threshold.target_far < 0.05 else 0.01
    plan, data = shlex.quote(f"{report.dir}/plan.yaml"), shlex.quote(report.profile.root)
    change = "more" if looser > report.threshold.target_far else "less"
    return [
        ("Score new data with this detector", f"agentad detect {shlex.quote(report.detector)} --data NEW_DATA"),
        (
            f"Flag {change}: the same plan with a false-alarm rate of {percent(looser)}",
            f"agentad recipe run {plan} --data {data} --set target_far={looser}",
        ),
        ("Read this run again as one JSON document", f"agentad runs show {shlex.quote(report.run)} --json"),
    ]


def verdict(item: flow.ScoredItem, label: int) -> str:
    """What a label (1, 0 or -1) says of an item's flag; without one, whether it is flagged."""
    if label == 1:
        return "found" if item.flag else "missed"
    if label == 0:
        return "false alarm" if item.flag else "rightly passed"
    return "flagged" if item.flag else "not flagged"


def doubtful(evidence: flow.RegionEvidence) -> bool:
    """Whether the detector's parts disagree about a region."""
    return evidence.doubt is not None and evidence.doubt >= DOUBTFUL


def region(evidence: flow.RegionEvidence, size: tuple[int, int] | None) -> str:
    """Where a region is, how large, how unusual and how sure that is, in words; `size` is (width, height)."""
    left, top, right, bottom = evidence.box
    extent = f"{right - left} × {bottom - top} px"
    if size is None:
        where = f"{extent} at x {left}, y {top}"
    else:
        where = f"{place(evidence.box, size)}, {extent}, {percent(evidence.area / (size[0] * size[1]))} of the image"
    reached = "" if evidence.p_value is None else f", p\u00a0{chance(evidence.p_value)}"
    unsure = "; unsure: to one part of the detector this is rare, to another it is not" if doubtful(evidence) else ""
    return f"{where}; peak {number(evidence.peak)}{reached}{unsure}"


def place(box: tuple[int, int, int, int], size: tuple[int, int]) -> str:
    """The third of the image, across and down, that holds the middle of the box."""
    left, top, right, bottom = box
    if (right - left) * (bottom - top) > size[0] * size[1] / 2:
        return "most of the image"
    across = ("left", "middle", "right")[min(2, int(3 * (left + right) / 2 / size[0]))]
    down = ("upper", "middle", "lower")[min(2, int(3 * (top + bottom) / 2 / size[1]))]
    return {"middle middle": "centre"}.get(f"{down} {across}", f"{down} {across}")
