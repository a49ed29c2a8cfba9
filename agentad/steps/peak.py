"""The most memory this process has held."""

from __future__ import annotations

import sys


def peak_mb() -> float:
    """Peak resident memory in MiB."""
    try:
        import resource
    except ImportError:  # Windows has no such module, psutil asks its kernel
        import psutil

        return float(psutil.Process().memory_info().peak_wset) / 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10
