"""A run that is killed at any moment goes on, and ends as if nothing had happened."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from agentad.store.runs import all_runs

KILLS = 5
REQUEST = ["run", "which rows look wrong?", "--data"]


def _start(curve, runs):
    environment = {**os.environ, "AGENTAD_RUNS": str(runs), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "agentad", *REQUEST, str(curve), "--json"]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def _results(runs: Path) -> dict[str, bytes]:
    (run,) = all_runs(runs)
    return {name: (run.path / name).read_bytes() for name in ("scores.jsonl", "plan.yaml")}


def test_killed_runs_end_with_the_scores_of_an_undisturbed_one(curve, tmp_path):
    begun = time.monotonic()
    calm = _start(curve, tmp_path / "calm")
    _, errors = calm.communicate(timeout=300)
    assert calm.returncode == 0, errors.decode()
    took = time.monotonic() - begun

    moments = np.random.default_rng(0).uniform(0.2, 1.0, KILLS) * took
    for moment in moments:
        process = _start(curve, tmp_path / "killed")
        time.sleep(moment)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        for run in all_runs(tmp_path / "killed"):
            for name in ("scores.jsonl", "report.html", "report.json", "plan.yaml"):
                there = run.path / name
                assert not there.exists() or there.read_bytes().endswith((b"\n", b"}", b">")), f"{name} is cut off"

    process = _start(curve, tmp_path / "killed")
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors.decode()
    assert _results(tmp_path / "killed") == _results(tmp_path / "calm")
    (run,) = all_runs(tmp_path / "killed")
    assert [p.name for p in run.path.iterdir() if p.name.startswith(".")] == []
