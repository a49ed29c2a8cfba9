"""What work costs: CPU seconds of all threads, and the most memory held meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

_T = TypeVar("_T")


@dataclass(frozen=True)
class Cost:
    """What fitting one method and scoring one test set took."""

    fit_s: float
    """CPU seconds."""
    score_s: float
    """CPU seconds of scoring the test items, encoding not included."""
    peak_mb: float
    """Most memory the process held meanwhile, what other work keeps in memory included."""
    parts: Mapping[str, float] = field(default_factory=dict)
    """CPU seconds of what `fit_s` is made of, for methods that tell."""


def timed(work: Callable[[], _T]) -> tuple[_T, float]:
    """The result of `work` and the CPU seconds it took."""
    start = time.process_time()
    return work(), time.process_time() - start


def forget_peak() -> None:
    """Let `steps.peak` count from now. Only Linux can forget; elsewhere a peak is that of the whole process so far."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
