"""Broken plans, detectors, run folders and options through the front door."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import broken_plans
import broken_runs
import pytest
from broken_detectors import DETECTORS
from broken_tables import GOOD, PNG, table
from front_door import SECONDS, Outcome, call, tree

BANK = ["--exclude", "self-cleaning", "--exclude", "empirical-denoiser"]
REQUEST = "which rows look wrong?"


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished run with the memory bank, its data and its runs folder; to be copied before it is touched."""
    root = tmp_path_factory.mktemp("finished")
    (root / "data").mkdir()
    (root / "data" / "rows.csv").write_bytes(table(GOOD))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AGENTAD_RUNS", str(root / "runs"))
        done = call("run", REQUEST, "--data", root / "data" / "rows.csv", *BANK, "--json")
    assert done.code == 0, done.err
    return root, done.document


@pytest.fixture
def place(finished, monkeypatch):
    """The finished run where it was made, brought back to that state afterwards."""
    root, report = finished
    kept = root.with_name(f"{root.name}-kept")
    shutil.copytree(root, kept, symlinks=True)
    (root / "here").mkdir()
    monkeypatch.chdir(root / "here")
    monkeypatch.setenv("AGENTAD_RUNS", str(root / "runs"))
    yield root, report
    monkeypatch.undo()
    shutil.rmtree(root)
    kept.rename(root)


def refused(done: Outcome, named: str, code: int = 2) -> None:
    assert done.code == code, done.err
    assert done.document["exit_code"] == code
    assert named in done.document["error"]
    assert "Traceback" not in done.err
    assert done.err.count("\x1b") == 0


@pytest.mark.parametrize("case", broken_plans.PLANS)
def test_a_broken_plan(place, case):
    root, _ = place
    (root / "plan.yaml").write_bytes(broken_plans.PLANS[case])
    before = tree(root)
    done = call("recipe", "run", root / "plan.yaml", "--data", root / "data" / "rows.csv", "--json")
    refused(done, "plan.yaml")
    assert tree(root) == before


@pytest.mark.parametrize("case", broken_plans.SETTINGS)
def test_a_broken_setting(place, case):
    root, _ = place
    before = tree(root)
    given = broken_plans.SETTINGS[case]
    done = call("recipe", "run", "find-odd-rows", "--data", root / "data" / "rows.csv", "--set", given, "--json")
    refused(done, "")
    assert tree(root) == before


@pytest.mark.parametrize("case", DETECTORS)
def test_a_broken_detector(place, case):
    root, report = place
    detector = root / "a broken one"
    shutil.copytree(report["detector"], detector)
    DETECTORS[case](detector)
    before = tree(root)
    refused(
        call("detect", detector, "--data", root / "data" / "rows.csv", "--out", root / "out", "--json"), str(detector)
    )
    assert tree(root) == before


@pytest.mark.parametrize("case", broken_runs.HEALED)
def test_a_damaged_run_is_healed(place, case):
    _, report = place
    run = Path(report["dir"])
    scores = (run / "scores.jsonl").read_bytes()
    broken_runs.HEALED[case](run)
    done = call("runs", "resume", run.name, "--json")
    assert done.code == 0, done.err
    assert done.document["run"] == run.name
    assert (run / "scores.jsonl").read_bytes() == scores
    assert call("runs", "show", run.name, "--json").document == done.document


@pytest.mark.parametrize("case", broken_runs.REFUSED)
def test_a_damaged_run_can_still_be_listed_and_removed(place, case):
    root, report = place
    run = Path(report["dir"])
    broken_runs.REFUSED[case](run)
    before = tree(root, root / "runs")
    refused(call("runs", "resume", run.name, "--json"), "rows")
    listed = call("runs", "list", "--json")
    assert listed.code == 0, listed.err
    assert [row["run"] for row in listed.document] == [run.name]
    assert call("runs", "rm", run.name, "--json").document == {"removed": run.name}
    assert tree(root, root / "runs") == before
    assert not run.exists()


@pytest.mark.parametrize("name", ["plan/plan.yaml", "profile/profile.json", "report.json", "split/settings.json"])
def test_changed_bytes_of_the_same_number_are_no_trace(place, name):
    _, report = place
    broken_runs.same_size(name)(Path(report["dir"]))
    for command in ("show", "resume"):
        done = call("runs", command, report["run"], "--json")
        assert done.code in (0, 2), done.err
        assert done.code == 0 or report["dir"] in done.document["error"]


def test_only_a_run_named_in_full_is_removed(place):
    root, report = place
    before = tree(root)
    (root / "here" / "run.json").write_text("{}")
    (root / "here" / "mine.txt").write_text("kept")
    refused(call("runs", "rm", "rows", "--json"), "by its full name")
    refused(call("runs", "rm", ".", "--json"), "by its full name")
    refused(call("runs", "rm", root / "here", "--json"), "here")
    refused(call("runs", "rm", "../" + report["run"] + "/fit", "--json"), "fit")
    assert (root / "here" / "mine.txt").read_text() == "kept"
    for name in ("run.json", "mine.txt"):
        (root / "here" / name).unlink()
    assert {**tree(root), "here": None} == {**before, "here": None}


OPTIONS: dict[str, tuple[list[str], str]] = {
    "no data": (["run", REQUEST], "--data"),
    "no request": (["run", "--data", "{data}"], "REQUEST"),
    "an empty request": (["run", "  ", "--data", "{data}"], "request is empty"),
    "a request that is not UTF-8": (["run", "caf\udce9", "--data", "{data}"], "caf\\xe9"),
    "a request of a megabyte": (["run", "x" * 1_000_000, "--data", "{data}"], "20,000 characters"),
    "an unknown command": (["fly"], "fly"),
    "an unknown option": (["run", REQUEST, "--data", "{data}", "--colour", "red"], "--colour"),
    "a rate of text": (["run", REQUEST, "--data", "{data}", "--target-far", "many"], "--target-far"),
    "a rate of nan": (["run", REQUEST, "--data", "{data}", "--target-far", "nan"], "nan"),
    "a rate of 1": (["run", REQUEST, "--data", "{data}", "--target-far", "1"], "between 0 and 1"),
    "a rate of infinity": (["run", REQUEST, "--data", "{data}", "--target-far", "inf"], "inf"),
    "a negative seed": (["run", REQUEST, "--data", "{data}", "--seed", "-1"], "seed -1"),
    "a seed of text": (["run", REQUEST, "--data", "{data}", "--seed", "x"], "--seed"),
    "an unknown tool to exclude": (["run", REQUEST, "--data", "{data}", "--exclude", "../x"], "../x"),
    "an unknown planner": (["run", REQUEST, "--data", "{data}", "--planner", "magic"], "magic"),
    "a replay that is absent": (["run", REQUEST, "--data", "{data}", "--planner", "replay:none.jsonl"], "none.jsonl"),
    "a replay that is no record": (["run", REQUEST, "--data", "{data}", "--planner", "replay:{data}"], "rows.csv"),
    "a replay that is a pipe": (["run", REQUEST, "--data", "{data}", "--planner", "replay:{pipe}"], "pipe.jsonl"),
    "a plan that is a pipe": (["recipe", "run", "{pipe}", "--data", "{data}"], "pipe"),
    "data of no name": (["run", REQUEST, "--data", ""], "here"),
    "data of an unknown user": (["run", REQUEST, "--data", "~nobody-of-this-name/x.csv"], "nobody-of-this-name"),
    "a plan into nowhere": (["plan", REQUEST, "--data", "{data}", "-o", "no/where.yaml"], "no/where.yaml"),
    "a plan onto a folder": (["plan", REQUEST, "--data", "{data}", "-o", "."], "cannot be written"),
    "an unknown recipe": (["recipe", "run", "none", "--data", "{data}"], "none"),
    "a recipe that climbs": (["recipe", "show", "../pyproject"], "../pyproject"),
    "an absolute recipe": (["recipe", "show", "/etc/passwd"], "/etc/passwd"),
    "a plan that is a folder": (["recipe", "run", "./", "--data", "{data}"], "."),
    "an unknown tool": (["tools", "show", "../../etc/passwd"], "../../etc/passwd"),
    "an unknown run": (["runs", "show", "none"], "none"),
    "a run that climbs": (["runs", "rm", "../.."], ".."),
    "a run of no name": (["runs", "show", ""], "no such run"),
    "a run with a very long name": (["runs", "show", "long" * 500], "longlong"),
    "an unknown detector": (["detect", "none", "--data", "{data}"], "none"),
    "a detector with a very long name": (["detect", "long" * 500, "--data", "{data}"], "longlong"),
    "data of the other kind": (["detect", "{run}", "--data", "{image}"], "picture.png"),
    "data without the columns": (["detect", "{run}", "--data", "{other}"], "other.csv"),
    "data that is gone": (["detect", "{run}", "--data", "gone.csv"], "gone.csv"),
    "out on a file": (["detect", "{run}", "--data", "{data}", "--out", "{data}"], "rows.csv"),
    "out below a file": (["detect", "{run}", "--data", "{data}", "--out", "{data}/x"], "rows.csv"),
    "out on a full folder": (["detect", "{run}", "--data", "{data}", "--out", "{folder}"], "data"),
    "unknown weights": (["models", "path", "../x"], "../x"),
    "weights to pull that are unknown": (["models", "pull", "none"], "none"),
    "weights from nowhere": (["models", "pull", "dinov2-small", "--source", "no/where"], "no/where"),
}


@pytest.mark.parametrize("case", OPTIONS)
def test_a_bad_option(place, no_weights, case):
    root, report = place
    words, named = OPTIONS[case]
    (root / "data" / "picture.png").write_bytes(PNG)
    (root / "data" / "other.csv").write_bytes(table(GOOD, "p,q,r"))
    os.mkfifo(root / "data" / "pipe.jsonl")
    names = {"pipe": "pipe.jsonl", "data": "rows.csv", "image": "picture.png", "other": "other.csv", "folder": ""}
    filled = {name: str(root / "data" / file) for name, file in names.items()} | {"run": report["run"]}
    before = tree(root, root / "runs" / "detections")
    done = call(*(word.format(**filled) if len(word) < 99 else word for word in words), "--json")
    refused(done, named)
    assert tree(root, root / "runs" / "detections") == before


@pytest.mark.parametrize(
    "command", ["tools list", "recipe list", "runs list", "models list", "doctor", "tools show memory-bank"]
)
def test_one_document_on_standard_output(place, command):
    done = call(*command.split(), "--json")
    assert done.code == 0
    assert done.document
    assert done.err == ""


def _start(*words: str, **more: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "agentad", *words], stderr=subprocess.PIPE, **more)


def test_a_reader_that_goes_away(place):
    read, write = os.pipe()
    os.close(read)
    process = _start("tools", "list", "--json", stdout=write)
    os.close(write)
    _, errors = process.communicate(timeout=SECONDS)
    assert (process.returncode, errors) == (0, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is Linux's")
def test_output_onto_a_full_disk(place):
    with Path("/dev/full").open("w") as full:
        process = _start("tools", "list", stdout=full)
        _, errors = process.communicate(timeout=SECONDS)
    assert errors == b"error: standard output cannot be written: No space left on device\n"
    assert process.returncode == 2


def test_a_terminal_without_unicode(place):
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    for more in ([], ["--json"]):
        process = _start("recipe", "list", *more, stdout=subprocess.PIPE, env=environment)
        out, errors = process.communicate(timeout=SECONDS)
        assert (process.returncode, errors) == (0, b"")
        assert out.isascii()


def test_an_interrupt_keeps_what_is_finished(place):
    root, _ = place
    environment = {**os.environ, "AGENTAD_RUNS": str(root / "more")}
    data = str(root / "data" / "rows.csv")
    process = _start("run", REQUEST, "--data", data, "--json", stdout=subprocess.PIPE, env=environment)
    begun = time.monotonic()
    while not list((root / "more").glob("*/plan")) and process.poll() is None and time.monotonic() - begun < SECONDS:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=SECONDS)
    assert process.returncode == 130, errors.decode()
    assert json.loads(out) == {"error": errors.decode().removeprefix("error: ").strip(), "exit_code": 130}
    assert errors.decode().splitlines() == [
        "error: stopped; what was finished is kept, and the same command again goes on"
    ]
    assert not list((root / "more").rglob(".part-*"))
