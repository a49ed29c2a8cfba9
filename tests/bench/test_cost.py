import sys
import time

import numpy as np
import pytest

from agentad.bench.cost import forget_peak, timed
from agentad.steps.peak import peak_mb


def test_work_is_timed_by_the_clock_of_the_processor(monkeypatch):
    clock = iter([1.0, 3.5])
    monkeypatch.setattr(time, "process_time", lambda: next(clock))
    assert timed(lambda: "done") == ("done", 2.5)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux can forget a peak")
def test_a_peak_is_forgotten():
    block = np.ones(30_000_000)
    high = peak_mb()
    del block
    forget_peak()
    assert peak_mb() < high - 200
