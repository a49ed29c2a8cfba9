import sys
import time

import numpy as np
import pytest

from agentad.bench.cost import forget_peak, timed
from agentad.steps.peak import peak_mb


def test_waiting_costs_nothing_and_working_does():
    def work():
        x = np.random.default_rng(0).normal(size=(300, 300))
        for _ in range(5):
            x = np.tanh(x @ x)
        return "done"

    assert timed(work)[0] == "done"
    assert timed(work)[1] > timed(lambda: time.sleep(0.05))[1]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux can forget a peak")
def test_a_peak_is_forgotten():
    block = np.ones(30_000_000)
    high = peak_mb()
    del block
    forget_peak()
    assert peak_mb() < high - 200
