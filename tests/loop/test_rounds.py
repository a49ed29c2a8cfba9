"""Rounds of a run on a table in which the detector alone is nearly blind and a few labels help."""

import json
import shutil

import numpy as np
import pytest

import agentad
from agentad import api
from agentad.errors import InputError, NotWritable
from agentad.loop.tables import TableWorkshop
from agentad.steps.adapt import in_place
from agentad.store.runs import find_run

COLUMNS = 8


def _table(path, *, useful=True, anomalies=24, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(260 + anomalies, COLUMNS))
    y = np.repeat([0, 1], [260, anomalies])
    if useful:  # in each column ordinary, and together in a corner that few normal rows reach
        x[260:, 2], x[260:, 5] = x[260:, 2] * 0.2 + 2.0, x[260:, 5] * 0.2 - 1.9
    lines = [",".join([*(f"{v:.4f}" for v in row), str(label)]) for row, label in zip(x, y, strict=True)]
    path.write_text("\n".join([",".join([*(f"c{i}" for i in range(COLUMNS)), "anomaly"]), *lines]) + "\n")
    return path


def _run(data, **settings):
    given = {"loop.rounds": "2", "loop.count": "40", "loop.folds": "3", "loop.head.params.trees": "30"} | settings
    return agentad.run_plan("rounds.yaml", data=data, settings=given)


@pytest.fixture(autouse=True)
def recipe(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rounds.yaml").write_text("loop: {}\n")


@pytest.fixture
def data(tmp_path):
    return _table(tmp_path / "corner.csv")


def test_what_helps_is_adopted_and_detect_uses_it(data, tmp_path):
    report = _run(data)
    first, second = report.rounds
    assert first.decision.adopted and first.generator is None
    assert second.generator == "transplanted-rows" and second.made > 30 and second.mix is not None
    assert report.metrics["closed-form-diffusion"].ap > report.metrics["unsupervised"].ap + 0.2
    assert report.detector.endswith("adapt/detector")

    loaded = agentad.load(report.detector)
    taught = [item.score for item in loaded.score(data)]
    bare = tmp_path / "bare"
    shutil.copytree(report.detector, bare)
    shutil.rmtree(bare / "adapter")
    plain = [item.score for item in agentad.load(bare).score(data)]
    base = [item.score for item in agentad.load(find_run(report.run).path / "fit" / "detector").score(data)]
    assert plain == base != taught

    (bare / "scorer" / "settings.json").write_text("{}")
    with pytest.raises(InputError, match="changed since it was saved"):
        agentad.load(bare)


def test_a_changed_adapter_is_refused(data):
    report = _run(data, **{"loop.generator": "false"})
    path = find_run(report.run).path / "adapt" / "detector" / "adapter" / "head" / "settings.json"
    content = path.read_text()
    path.unlink()  # published by hard link: another name of the same file must stay whole
    path.write_text(content + " ")
    with pytest.raises(InputError, match=r"head/settings.json changed since it was saved"):
        agentad.load(report.detector)


def test_labels_that_mean_nothing_change_nothing(tmp_path):
    report = _run(_table(tmp_path / "same.csv", useful=False))
    assert [one.decision.adopted for one in report.rounds] == [False, False]
    assert "unsupervised" not in report.metrics
    assert report.detector.endswith("fit/detector")


def test_without_real_anomalies_nothing_is_proven(data):
    report = _run(data, **{"loop.shots": "0", "loop.generator.tool": "neighbour-rows"})
    assert report.rounds[0].decision.why.startswith("There is no real anomaly to try it on, so nothing can be proven.")
    assert report.rounds[0].decision.anomalies == 0


def test_a_generator_that_fails_costs_its_round(data, monkeypatch):
    def invent(self, *args, **kwargs):
        raise InputError("this generator cannot")

    monkeypatch.setattr(TableWorkshop, "invent", invent)
    report = _run(data)
    assert [one.decision.adopted for one in report.rounds] == [True, False]
    assert report.rounds[1].decision.why == "The round failed: this generator cannot"
    assert report.detector.endswith("adapt/detector")


def test_a_full_disk_leaves_the_adopted_detector_and_resume_goes_on(data, monkeypatch):
    def save(self, *args, **kwargs):
        raise NotWritable("no space")

    with monkeypatch.context() as broken:
        broken.setattr(TableWorkshop, "save", save)
        with pytest.raises(NotWritable, match="no space"):
            _run(data)
    run = find_run("corner")
    assert in_place(run) == run.path / "round-1" / "detector"
    assert len(agentad.load(run.path).score(data)) == 284
    resumed = api.resume(run.name)
    assert len(resumed.rounds) == 2


def test_the_same_run_gives_the_same_scores(data):
    first = _run(data)
    path = find_run(first.run).path
    scores, rounds = (path / "scores.jsonl").read_bytes(), json.loads((path / "adapt" / "rounds.json").read_text())
    shutil.rmtree(path)
    _run(data)
    assert (path / "scores.jsonl").read_bytes() == scores
    assert json.loads((path / "adapt" / "rounds.json").read_text()) == rounds


def test_time_that_is_spent_ends_the_rounds(data):
    report = _run(data, **{"loop.seconds": "0.001"})
    assert len(report.rounds) == 1
    assert report.budget_spent
    assert report.stopped == "The time for rounds is spent."
