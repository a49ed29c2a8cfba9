"""Where the line between normal and anomalous is drawn, and how sure that line is."""

from __future__ import annotations

from typing import Literal

from agentad.flow.base import Noun


class Threshold(Noun):
    """An item is flagged when its score is above `value`."""

    value: float
    target_far: float
    """Wanted share of normal items flagged."""
    method: Literal["conformal", "empirical-null"]
    """`conformal`: rank among held-out normals. `empirical-null`: null fitted to the bulk of unlabelled scores."""
    n_calibration: int
    far_low: float
    far_high: float
    """95 % interval of the false-alarm rate this threshold really has."""
    warning: str | None = None
    """Said when the calibration sample cannot support the target."""
