"""The road from a sentence to a detector, on data whose answer is known."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import agentad
from agentad import api
from agentad.errors import DetectorRefused, InputError


def _lines(report):
    text = (Path(report.dir) / "scores.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def test_a_table_from_a_sentence(curve):
    report = agentad.run("which rows look wrong?", data=curve)
    assert report.metrics is not None
    assert set(report.metrics) == {report.plan.detector.tool, "memory-bank"}
    assert report.metrics[report.plan.detector.tool].auroc > 0.97
    lines = _lines(report)
    assert [line["id"] for line in lines] == [str(i) for i in range(252)]
    assert sum(line["flag"] for line in lines) == report.flagged
    planted = [line for line in lines[240:] if line["flag"]]
    assert len(planted) >= 8
    named = [max(line["evidence"], key=lambda e: e["share"])["column"] for line in planted]
    assert np.mean([name in ("x", "y") for name in named]) == 1.0
    for name in ("report.html", "report.json", "plan.yaml", "run.json"):
        assert (api.find_run(report.run).path / name).is_file()


def test_the_same_again_is_the_same_run_and_does_nothing(curve):
    first = agentad.run("which rows look wrong?", data=curve)
    told = []
    assert agentad.run("which rows look wrong?", data=curve, progress=lambda *a: told.append(a)) == first
    assert told == []


def test_the_same_seed_gives_identical_bytes_and_another_run_for_another_request(curve, tmp_path):
    first = agentad.run("which rows look wrong?", data=curve)
    before = {n: (api.find_run(first.run).path / n).read_bytes() for n in ("scores.jsonl", "plan.yaml")}
    again = agentad.run("which rows look wrong?", data=curve, fresh=True)
    assert again.run == first.run
    assert {n: (api.find_run(first.run).path / n).read_bytes() for n in before} == before
    assert agentad.run("which rows look wrong?", data=curve, seed=1).run != first.run


def test_a_written_plan_gives_the_same_scores(curve, tmp_path):
    from agentad.planning.recipes import dump_plan

    plan = agentad.plan("which rows look wrong?", data=curve)
    (tmp_path / "plan.yaml").write_text(dump_plan(plan), encoding="utf-8")
    replayed = agentad.run_plan(tmp_path / "plan.yaml", data=curve)
    asked = agentad.run("which rows look wrong?", data=curve)
    assert replayed.plan == asked.plan == plan
    assert _lines(replayed) == _lines(asked)


def _quick(request, data):
    """What `run` does, with so few training steps that a test can wait for it."""
    plan = agentad.plan(request, data=data)
    assert plan.detector.tool == "bank-diffusion"
    params = {**plan.detector.params, "steps": 20, "size": 1000}
    return agentad.run_plan(
        plan.model_copy(update={"detector": plan.detector.model_copy(update={"params": params})}), data=data
    )


def test_images_from_a_sentence(spots, no_weights):
    report = _quick("find the bad parts and show me where", spots)
    assert report.plan.encoder.tool == "patch-filters"
    assert report.metrics[report.plan.detector.tool].auroc == 1.0
    lines = {line["id"]: line for line in _lines(report)}
    assert set(lines) == {f"test/{kind}/{i:02}.png" for kind in ("good", "spot") for i in range(4)}
    for i in range(4):
        x, y = lines[f"test/spot/{i:02}.png"]["evidence"][0]["peak_at"]
        assert abs(x - (12 + 10 * i)) <= 10
        assert abs(y - (44 - 8 * i)) <= 10
    from agentad.modalities.image.maps import map_from_bytes

    path = api.find_run(report.run).path / lines["test/spot/00.png"]["map"]
    assert map_from_bytes(path.read_bytes()).shape == (64, 64)


def test_a_folder_without_labels_is_scored_held_out(spots, no_weights):
    shutil.rmtree(spots / "ground_truth")
    plain = spots.parent / "plain"
    plain.mkdir()
    for i, path in enumerate(sorted(spots.rglob("*.png"))):
        shutil.copy(path, plain / f"{i}.png")
    report = _quick("anything odd here?", plain)
    assert report.metrics is None
    assert report.threshold.method == "empirical-null"
    assert report.items == 24
    worst = sorted(_lines(report), key=lambda line: -line["score"])[:4]
    odd = {f"{i}.png" for i, path in enumerate(sorted(spots.rglob("*.png"))) if "spot" in path.parts[-2]}
    assert {line["id"] for line in worst} == odd


def test_a_detector_works_from_another_folder_and_scores_the_same(curve, tmp_path):
    report = agentad.run("which rows look wrong?", data=curve)
    moved = tmp_path / "elsewhere" / "detector"
    shutil.copytree(report.detector, moved)
    shutil.rmtree(report.dir)
    detector = agentad.load(moved)
    assert detector.threshold == report.threshold
    scored = detector.score(curve)
    assert len(scored) == 252
    assert np.mean([item.flag for item in scored[240:]]) > 0.6
    found = agentad.detect(moved, data=curve, out=tmp_path / "out")
    assert found.flagged == sum(item.flag for item in scored)
    written = Path(found.scores).read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["score"] for line in written] == [item.score for item in scored]


def test_columns_in_another_order_score_the_same(curve, tmp_path):
    report = agentad.run("which rows look wrong?", data=curve)
    lines = [line.split(",") for line in curve.read_text(encoding="utf-8").splitlines()]
    turned = tmp_path / "turned.csv"
    turned.write_text("\n".join(",".join(reversed(cells)) for cells in lines) + "\n", encoding="utf-8")
    first, other = (agentad.load(report.run).score(path) for path in (curve, turned))
    assert [item.model_dump() for item in other] == [item.model_dump() for item in first]
    found = agentad.detect(report.run, data=turned, out=tmp_path / "out")
    written = Path(found.scores).read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["score"] for line in written] == [item.score for item in first]


def test_new_rows_must_have_the_columns_of_the_old_ones(curve, tmp_path):
    report = agentad.run("which rows look wrong?", data=curve)
    other = tmp_path / "other.csv"
    text = curve.read_text(encoding="utf-8").replace("x,y,colour", "x,z,colour")
    other.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match="y"):
        agentad.load(report.run).score(other)


@pytest.mark.parametrize("name", ["scorer/arrays.safetensors", "encoder/settings.json", "calibration/settings.json"])
def test_a_damaged_detector_is_refused(curve, name):
    report = agentad.run("which rows look wrong?", data=curve)
    path = api.find_run(report.run).path / "fit" / "detector" / name
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(DetectorRefused) as error:
        agentad.load(report.run)
    folder = path.parents[1]
    assert str(error.value) == f"{folder}: {name} changed since it was saved; copy the whole detector folder again"


def test_a_detector_of_another_format_is_refused(curve):
    report = agentad.run("which rows look wrong?", data=curve)
    manifest = api.find_run(report.run).path / "fit" / "detector" / "detector.json"
    document = json.loads(manifest.read_text(encoding="utf-8"))
    manifest.write_text(json.dumps({**document, "format": 99}), encoding="utf-8")
    with pytest.raises(DetectorRefused, match=r"format 99, but agentad 0\.1\.0 reads format 1"):
        agentad.load(report.run)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"text": "  "}, 'the request is empty; say what you need, for example "find the bad parts"'),
        ({"target_far": 1.5}, "the false-alarm rate 1.5 is not between 0 and 1; 0.01 means 1 %"),
        ({"seed": -1}, "the seed -1 is negative; give 0 or more"),
        (
            {"exclude": ["magic"]},
            "cannot exclude magic: no such tool; `agentad tools list` shows the tools there are",
        ),
    ],
)
def test_bad_options_are_named(curve, arguments, message):
    with pytest.raises(InputError) as error:
        agentad.run(**{"text": "find odd rows", "data": curve, **arguments})
    assert str(error.value) == message


def test_changed_data_is_not_mixed_into_an_old_run(curve):
    report = agentad.run("which rows look wrong?", data=curve)
    with curve.open("a", encoding="utf-8") as file:
        file.write("1,1,red,0\n")
    with pytest.raises(InputError) as error:
        api.resume(report.run)
    assert str(error.value) == f"{curve} has changed since run {report.run} was started; start a new run on it"
    assert agentad.run("which rows look wrong?", data=curve).run != report.run
