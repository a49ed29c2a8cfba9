import json
import multiprocessing

import pytest

from agentad.errors import InputError
from agentad.flow import Asked, Request
from agentad.store.runs import RunFolder, all_runs, find_run, run_id, runs_root


def test_a_step_is_done_once_for_the_same_inputs(tmp_path):
    run, calls = RunFolder(tmp_path / "r"), []

    def work(folder):
        calls.append(folder)
        (folder / "out").write_text(str(len(calls)))

    with run.held():
        first = run.step("fit", {"seed": 0}, work)
        assert run.step("fit", {"seed": 0}, work) == first
        assert len(calls) == 1
        assert run.step("fit", {"seed": 1}, work) != first
    assert (run.path / "fit" / "out").read_text() == "2"
    assert json.loads((run.path / "fit" / "STEP.json").read_text())["step"] == "fit"
    assert set(run.timings()["fit"]) == {"seconds", "cpu_seconds"}


def test_a_failed_step_leaves_nothing(tmp_path):
    run = RunFolder(tmp_path / "r")

    def work(folder):
        (folder / "half").write_text("")
        raise OSError("disk full")

    with run.held(), pytest.raises(OSError, match="disk full"):
        run.step("fit", 0, work)
    assert list(run.path.iterdir()) == []


def _hold(path, ready, done):
    with RunFolder(path).held():
        ready.set()
        done.wait(20)


def test_two_processes_cannot_hold_one_run(tmp_path):
    context = multiprocessing.get_context("spawn")
    ready, done = context.Event(), context.Event()
    other = context.Process(target=_hold, args=(tmp_path / "r", ready, done))
    other.start()
    try:
        assert ready.wait(20)
        message = "run r: another process is working on it; wait for it, or stop it"
        with pytest.raises(InputError, match=message), RunFolder(tmp_path / "r").held():
            pass
    finally:
        done.set()
        other.join()


def test_runs_are_found_by_name_and_path_and_listed():
    run = RunFolder(runs_root() / "cells-1")
    with run.held():
        for text in ("first", "second"):
            run.write_request(Asked(request=Request(text=text, data="/cells.csv"), data="0"))
    assert find_run("cells-1").request() == Asked(request=Request(text="first", data="/cells.csv"), data="0")
    assert find_run(str(run.path)).name == "cells-1"
    assert find_run("cel").name == "cells-1"
    assert [r.name for r in all_runs()] == ["cells-1"]
    run.remove()
    with pytest.raises(InputError) as error:
        find_run("cells-1")
    assert str(error.value) == f"cells-1: no such run in {runs_root()}; `agentad runs list` shows the runs there are"


def test_a_run_id_is_readable_and_depends_on_everything(tmp_path):
    same = run_id(tmp_path / "My Data.csv", "a", 1)
    assert same.startswith("my-data-csv-")
    assert same == run_id(tmp_path / "My Data.csv", "a", 1)
    assert same != run_id(tmp_path / "My Data.csv", "a", 2)
