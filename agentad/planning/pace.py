"""The encoder and its settings where the words say how much time an image may take.

Time is CPU-milliseconds an image on one core, as measured for the cards; another machine's may differ. An encoder's
grows with its patches and, of a transformer, the blocks that are computed; a detector's with the patches.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from agentad.flow import Step, Value
from agentad.planning.situation import Situation, Training

_DINO = {"bfloat16": 0.0292, "float32": 0.0584}
"""A patch and block: 104 ms at 280 pixels and 85 at 252, nine blocks in bfloat16."""
_LITE = {"bfloat16": 0.040, "float32": 0.051}
"""A patch of 16 pixels: 10 and 13 ms at 256 pixels, 14 and 20 at 320."""
_DETECTORS = {"bank-diffusion": 0.093, "feature-diffusion": 0.031, "memory-bank": 0.155}
"""A patch: 30, 10 and 50 ms, at 324 patches."""
_TILED = 16
"""Times that an image costs in the most tiles that `tiles` may choose."""


@dataclass(frozen=True)
class _Rung:
    """An encoder with settings, and what these cost."""

    tool: str
    patches: int
    encoding: float
    """Milliseconds."""
    params: dict[str, Value] = field(default_factory=dict)

    def milliseconds(self, detector: str) -> float:
        return self.encoding + self.patches * _DETECTORS.get(detector, 0.0)


def _pair(side: int) -> _Rung:
    patches = side**2
    return _Rung("dinov2-lite", patches, patches * (7 * _DINO["bfloat16"] + _LITE["bfloat16"]), {"side": side})


def _dino(size: int) -> _Rung:
    patches = (size // 14) ** 2
    return _Rung("dinov2-small", patches, patches * 9 * _DINO["bfloat16"], {"size": size})


def _lite(size: int, dtype: str) -> _Rung:
    patches = (size // 16) ** 2
    return _Rung("efficientnet-lite0", patches, patches * _LITE[dtype], {"size": size, "dtype": dtype})


_LADDER = (
    _pair(24),
    *(_pair(18), _pair(12), _dino(280), _lite(320, "float32")),
    *(_lite(288, "bfloat16"), _lite(192, "bfloat16"), _lite(128, "bfloat16"), _dino(168), _dino(112)),
)
"""Finest first."""
_START = {"accurate": 0, None: 1, "fast": 5}
"""The first rung that each pace may stand on."""


def paced(situation: Situation, training: Training, detector: str) -> tuple[Step | None, tuple[str, ...]]:
    """If the words speak of time: the first encoder on the ladder that data and time allow, and what to say of it.

    A budget is for encoding and the detector together. Where nothing keeps it, the quickest is taken, and said to be.
    """
    wishes = situation.wishes
    if wishes.pace is None and wishes.ms_per_image is None:
        return None, ()
    quoted = " and ".join(f"“{words}”" for words in wishes.time_words)
    allowed = {card.name for card in situation.offered("encoder") if situation.unmet(card, training) is None}
    rungs = [rung for rung in _LADDER[_START[wishes.pace] :] if rung.tool in allowed]
    if situation.profile.modality != "image" or situation.paired or not rungs:
        return None, (
            f"You say {quoted}: no encoder that can be used here has settings for that; nothing was changed.",
        )
    if wishes.ms_per_image is None:
        rung = rungs[0]
        tiles: dict[str, Value] = {"tiles": 1} if wishes.pace == "fast" else {}
        return _step(rung, detector, quoted, tiles), ()
    budget = wishes.ms_per_image
    fitting = [rung for rung in rungs if rung.milliseconds(detector) <= budget]
    rung = fitting[0] if fitting else min(rungs, key=lambda rung: rung.milliseconds(detector))
    tiles = {} if _TILED * rung.milliseconds(detector) <= budget else {"tiles": 1}
    return _step(rung, detector, quoted, tiles), (_promise(rung, detector, quoted, bool(fitting)),)


def _step(rung: _Rung, detector: str, quoted: str, tiles: dict[str, Value]) -> Step:
    whole = ", large images scaled down as a whole" if tiles else ""
    return Step(
        tool=rung.tool,
        params=rung.params | tiles,
        why=f"Chosen for {quoted}: {rung.patches} patches{whole}, {_spent(rung, detector)}.",
    )


def _spent(rung: _Rung, detector: str) -> str:
    encoding = f"about {rung.encoding:.0f} CPU-milliseconds an image to encode"
    if detector not in _DETECTORS:
        return f"{encoding}; the time of {detector} is not known and not counted"
    return f"{encoding} and {rung.milliseconds(detector) - rung.encoding:.0f} for {detector}"


def _promise(rung: _Rung, detector: str, quoted: str, kept: bool) -> str:
    if kept:
        return f"{quoted} is kept by the times measured on one core where the tools were made; yours may be slower."
    return f"{quoted} cannot be kept: the quickest, {rung.tool} with {detector}, takes {_spent(rung, detector)}."
