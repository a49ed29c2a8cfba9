"""Whether a plan has a loop, and which: the anomalies to learn from, and who invents more of them."""

from __future__ import annotations

from agentad.errors import Infeasible
from agentad.flow import Loop
from agentad.planning.choose import choose
from agentad.planning.situation import Situation, Training

_METRICS = {"image": ("auroc", "ap", "pixel_ap"), "table": ("auroc", "ap")}
_REASONS = {
    "pairs": "images that are compared with templates have no rounds yet",
    "contaminated": "without items known to be normal nothing can be invented and no head can be taught",
}


def loop_of(situation: Situation, training: Training) -> tuple[Loop | None, tuple[str, ...]]:
    """The loop that the words or the layout ask for, or None; and what was taken for granted, each a sentence.

    It is asked for by words for made-up anomalies and for learning from examples, and by anomalies that the layout
    gives to learn from.
    """
    asked = _asked(situation)
    if asked is None:
        return None, ()
    reason = impossible(situation, training)
    if reason is not None:
        return None, (f"{asked}, so rounds were wanted, but {reason}: the plan only detects.",)
    try:
        loop = Loop(
            head=choose("head", situation, training),
            generator=choose("generator", situation, training),
            metric=situation.wishes.metric if situation.wishes.metric in _METRICS[situation.profile.modality] else None,
        )
    except Infeasible as error:
        return None, (f"{asked}, so rounds were wanted, but {error}",)
    return loop, (f"{asked}. {about_loop(loop, situation)}",)


def _asked(situation: Situation) -> str | None:
    if situation.wishes.made_up:
        return f"You mention “{situation.wishes.made_up}”"
    if situation.profile.given_anomalous:
        return f"The layout gives {situation.profile.given_anomalous} anomalous {situation.items} to learn from"
    return None


def impossible(situation: Situation, training: Training) -> str | None:
    """Why there can be no rounds on this data, as a clause; None where there can."""
    if situation.paired:
        return _REASONS["pairs"]
    return _REASONS["contaminated"] if training == "contaminated" else None


def about_loop(loop: Loop, situation: Situation) -> str:
    """What the loop will do on this data, and what can be proven."""
    maker = loop.generator.tool if loop.generator else "nothing"
    if loop.shots == 0 or not situation.shown_anomalies:
        why = " (an anomalous image teaches only with a mask)" if situation.profile.anomalous else ""
        none = f"There is no real anomaly to learn from{why}" if loop.shots != 0 else "No real anomaly is learned from"
        return (
            f"Anomalies are invented with {maker} and learned from. {none}, so nothing can be proven to help: what is "
            "kept only does not harm normal items."
        )
    more = f", and more are invented with {maker}," if loop.generator else ""
    return (
        f"Real anomalies are learned from{more} in up to {loop.rounds} rounds. A round is kept only if it demonstrably "
        "helps on real anomalies that it has not seen."
    )
