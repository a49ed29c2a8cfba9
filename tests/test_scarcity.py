"""A folder that fills, and the detector that is published from it."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from filelock import FileLock

import agentad
from agentad import scarcity
from agentad.cli import execute
from agentad.errors import InputError, NotWritable, UnreadableData
from agentad.flow import Decision
from agentad.scarcity import Look, fingerprints, watch
from agentad.tools.road import look

RNG = np.random.default_rng(0)
X = RNG.normal(size=160)
Y = X**2 + RNG.normal(0, 0.1, 160)
ODD = np.arange(160) % 8 == 0
Y[ODD] += np.where(RNG.random(ODD.sum()) < 0.5, -1, 1) * 1.5


@pytest.fixture
def grown(tmp_path):
    """Writes the first so many rows of a table; answers with its path."""
    path = tmp_path / "data" / "points.csv"
    path.parent.mkdir()

    def write(rows, label=True):
        cells = [f"{a:.4f},{b:.4f}" + (f",{int(odd)}" if label else "") for a, b, odd in zip(X, Y, ODD, strict=True)]
        head = "x,y,label" if label else "x,y"
        path.write_text("\n".join([head, *cells[:rows]]) + "\n", encoding="utf-8")
        return path

    return write


@pytest.fixture
def recipe(tmp_path):
    """Quick: no rounds."""
    path = tmp_path / "mine.yaml"
    plan = {"training": "normal", "detector": {"tool": "memory-bank"}, "baselines": [], "loop": False}
    path.write_text(yaml.safe_dump(plan), encoding="utf-8")
    return path


@pytest.fixture
def once(tmp_path, recipe):
    """One look at the data."""

    def take(data, **options) -> Look:
        options = {"recipe": recipe, "settle": 0, **options}
        return watch(data, publish=tmp_path / "out", once=True, **options)

    return take


def scores(tmp_path, data):
    return [item.score for item in agentad.load(tmp_path / "out" / "detector").score(data)]


def decided(monkeypatch, adopted):
    """Let the gate say so; what it was asked comes back."""
    asked = []

    def decide(before, after, labels, groups, **options):
        asked.append((before, after, labels, groups, options))
        return Decision(adopted=adopted, metric="auroc", why="said so")

    monkeypatch.setattr(scarcity, "decide", decide)
    return asked


def test_the_first_detector_is_published_and_the_same_data_does_nothing(grown, once, tmp_path, monkeypatch):
    found = once(grown(80))
    assert (found.state, found.detector) == ("published", str(tmp_path / "out" / "detector"))
    assert Path(found.detector).is_symlink()
    assert len(scores(tmp_path, grown(80))) == 80
    shutil.rmtree(os.environ["AGENTAD_RUNS"])  # what is published needs no run
    assert len(scores(tmp_path, grown(80))) == 80
    path = Path(found.detector).parent.parent / "data" / "points.csv"
    os.utime(path, ns=(1, 1))
    once(path)
    monkeypatch.setattr(scarcity.api, "run_plan", None)
    assert once(path).state == "unchanged"


@pytest.mark.parametrize("adopted", [True, False])
def test_the_gate_decides_who_is_published(grown, once, tmp_path, monkeypatch, adopted):
    once(grown(80))
    before = scores(tmp_path, grown(160))
    asked = decided(monkeypatch, adopted)
    found = once(grown(160))
    assert (found.state, found.why) == ("adopted" if adopted else "kept", "said so")
    assert (scores(tmp_path, grown(160)) != before) == adopted
    ((first, second, labels, _, options),) = asked
    assert options["number"] == 1
    assert options["rounds"] is None
    assert (labels == 1).sum() == 20  # no anomaly was learned from
    assert 0 < (labels == 0).sum() < 140  # what either has learned from is not asked about
    assert (first != second).any()
    state = json.loads((tmp_path / "out" / "watch.json").read_text(encoding="utf-8"))
    assert state["tries"] == (0 if adopted else 1)
    assert len(list((tmp_path / "out" / "versions").iterdir())) == (2 if adopted else 1)


def test_without_an_anomaly_harm_to_normals_decides(grown, once, monkeypatch):
    ordinary = grown(120)
    text = [line for line in ordinary.read_text(encoding="utf-8").splitlines() if not line.endswith(",1")]
    ordinary.write_text("\n".join(text[:60]) + "\n", encoding="utf-8")
    once(ordinary)
    ordinary.write_text("\n".join(text) + "\n", encoding="utf-8")
    found = once(ordinary)
    assert found.decision.metric == "false_alarm_rate"
    assert found.why.startswith("There is no real anomaly to try it on, so nothing can be proven.")


def test_a_file_that_is_still_being_copied_starts_nothing(grown, once, tmp_path, monkeypatch):
    path = grown(80)
    monkeypatch.setattr(scarcity.time, "sleep", lambda seconds: grown(90))
    monkeypatch.setattr(scarcity.api, "run_plan", None)
    assert once(path, settle=1).state == "settling"
    assert not (tmp_path / "out" / "detector").exists()


def test_data_that_changes_during_a_round_is_not_published(grown, once, tmp_path, monkeypatch):
    path, run_plan = grown(80), scarcity.api.run_plan

    def meanwhile(*arguments, **options):
        report = run_plan(*arguments, **options)
        grown(90)
        return report

    monkeypatch.setattr(scarcity.api, "run_plan", meanwhile)
    assert once(path).state == "settling"
    assert not (tmp_path / "out" / "detector").exists()
    monkeypatch.undo()


def test_a_full_disk_leaves_the_published_detector_wherever_it_strikes(grown, once, tmp_path, monkeypatch):
    detector = once(grown(80)).detector
    before = Path(detector).resolve()
    path = grown(160)

    def full(*arguments, **options):
        raise OSError(28, "No space left on device")

    def refused(*arguments, **options):
        raise NotWritable("the disk is full")

    places = [(scarcity.api, "run_plan", refused), (scarcity, "publish_folder", full), (scarcity, "save_state", full)]
    for home, name, trouble in [*places, (Path, "symlink_to", full)]:
        with monkeypatch.context() as patch:
            decided(patch, adopted=True)
            patch.setattr(home, name, trouble)
            with pytest.raises(NotWritable):
                once(path)
        assert Path(detector).resolve() == before
    assert len(scores(tmp_path, path)) == 160
    decided(monkeypatch, adopted=True)
    assert once(path).state == "adopted"
    assert Path(detector).resolve() != before


def test_a_kill_before_the_state_is_written_costs_a_look(grown, once, tmp_path, monkeypatch):
    once(grown(80))
    state = tmp_path / "out" / "watch.json"
    before = state.read_bytes()
    decided(monkeypatch, adopted=True)
    path = grown(160)
    assert once(path).state == "adopted"
    state.write_bytes(before)
    (tmp_path / "out" / "versions" / ".part-x").mkdir()
    again = once(path)
    assert (again.state, again.why) == ("kept", "the detector in use was made from this data")
    assert not (tmp_path / "out" / "versions" / ".part-x").exists()
    state.write_text("{", encoding="utf-8")
    assert once(path).state == "kept"


def test_folders_that_are_not_ours_are_left_alone(grown, once, tmp_path, recipe):
    path = grown(80)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match="out: not empty and nothing was published there; give another --publish"):
        once(path)
    (tmp_path / "out" / "mine.txt").unlink()
    with pytest.raises(UnreadableData, match="no such file or folder"):
        once(tmp_path / "none.csv")
    with pytest.raises(InputError, match=r"out: publishes what is learned from .*none.csv, not from .*points.csv"):
        once(path)
    with FileLock(tmp_path / "out" / ".lock"), pytest.raises(InputError, match="another process publishes there"):
        once(path)
    with pytest.raises(InputError, match="lies in the folder that is watched"):
        watch(path.parent, publish=path.parent / "out", recipe=recipe, once=True)


def test_watching_goes_on_after_trouble_and_tells_it_once(grown, tmp_path, recipe, monkeypatch):
    path, told, slept = tmp_path / "data" / "points.csv", [], []

    class Enough(Exception):
        pass

    def sleep(seconds):
        if seconds == 7:
            slept.append(seconds)
            if len(slept) == 2:
                grown(80)
            if len(slept) == 4:
                raise Enough

    monkeypatch.setattr(scarcity.time, "sleep", sleep)
    with pytest.raises(Enough):
        watch(path, publish=tmp_path / "out", recipe=recipe, every=7, settle=0, tell=told.append)
    assert [one.state for one in told] == ["failed", "published"]
    assert "no such file or folder" in told[0].why


def test_items_are_known_by_their_content(grown, tmp_path):
    first = look(grown(10))
    keys = fingerprints(first, "table", np.arange(10))
    assert len(set(keys)) == 10
    moved = grown(10)
    head, *lines = moved.read_text(encoding="utf-8").splitlines()
    flipped = [line[:-1] + str(1 - int(line[-1])) for line in lines[::-1]]
    moved.write_text("\n".join([head, *flipped]) + "\n", encoding="utf-8")
    assert fingerprints(look(moved), "table", np.arange(10)) == keys[::-1]


def test_the_command_prints_one_document(grown, tmp_path, recipe, capsys):
    arguments = ["watch", "--data", str(grown(80)), "--publish", str(tmp_path / "out"), "--recipe", str(recipe)]
    assert execute([*arguments, "--settle", "0", "--once", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["state"] == "published"


def test_what_arrives_without_a_label_starts_nothing(grown, once, monkeypatch):
    path = grown(80)
    text = path.read_text(encoding="utf-8")
    path.write_text(text + "0.1,0.2,\n", encoding="utf-8")
    assert once(path).state == "published"
    path.write_text(text + "0.1,0.2,\n0.3,0.4,\n", encoding="utf-8")
    with monkeypatch.context() as patch:
        patch.setattr(scarcity.api, "run_plan", None)
        assert once(path).state == "nothing new"
        assert once(path).state == "unchanged"
    decided(monkeypatch, adopted=False)
    path.write_text(text + "0.1,0.2,\n0.3,0.4,0\n", encoding="utf-8")
    assert once(path).state == "kept"
