"""How many threads torch may use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def torch_threads() -> Iterator[None]:
    """One thread, unless `OMP_NUM_THREADS` says otherwise; what was set before is restored.

    On a busy machine, threads that wait for each other by spinning cost several times the CPU time of one.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(_wanted())
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _wanted() -> int:
    said = os.environ.get("OMP_NUM_THREADS", "")
    return int(said) if said.isdecimal() and int(said) > 0 else 1
