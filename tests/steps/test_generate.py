"""More anomalies from a finished run, and the detector against a grid of them."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

import agentad
from agentad.cli import execute
from agentad.errors import Infeasible, InputError

PLAN = {"detector": {"tool": "memory-bank"}, "baselines": [], "training": "normal", "seed": 0}


def made(data, tmp_path, **fields):
    path = tmp_path / "plan.yaml"
    path.write_text(yaml.safe_dump({**PLAN, **fields}), encoding="utf-8")
    return agentad.run_plan(path, data=data)


def lines(folder):
    return [json.loads(line) for line in (folder / "manifest.jsonl").read_text(encoding="utf-8").splitlines()]


def files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """Folder of a finished run on striped images, four of them with a bright square."""
    folder = tmp_path_factory.mktemp("parts")
    rng = np.random.default_rng(0)

    def draw(name, square=None):
        wave = 120 + 30 * np.sin(np.arange(48) / 3 + rng.uniform(0, 6))
        image = np.repeat(wave[:, None], 48, 1) + rng.normal(0, 4, (48, 48))
        path = folder / "parts" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if square is not None:
            image[square : square + 8, square : square + 8] = 250
            mask = np.zeros((48, 48), np.uint8)
            mask[square : square + 8, square : square + 8] = 255
            truth = folder / "parts" / "ground_truth" / "spot"
            truth.mkdir(parents=True, exist_ok=True)
            Image.fromarray(mask).save(truth / f"{path.stem}_mask.png")
        Image.fromarray(np.clip(image, 0, 255).astype(np.uint8)).save(path)

    for i in range(10):
        draw(f"train/good/{i}.png")
    for i in range(4):
        draw(f"test/good/{i}.png")
        draw(f"test/spot/{i}.png", square=8 + 6 * i)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AGENTAD_RUNS", str(folder / "runs"))
        patch.setenv("AGENTAD_CACHE", str(folder / "cache"))
        patch.setenv("AGENTAD_OFFLINE", "1")
        report = made(folder / "parts", folder, modality="image", loop=False)
    assert report.plan.encoder.tool == "patch-filters"
    return report


@pytest.fixture(autouse=True)
def bare(no_weights):
    """As the run was made."""


def test_images_are_as_asked_and_say_where_they_come_from(parts, tmp_path):
    out = tmp_path / "out"
    found = agentad.generate(parts.dir, count=5, conditions=["type=spot", "place=centre"], out=out)
    assert (found.made, found.asked, found.anomalies, found.generator.tool) == (5, 5, 4, "residual-paste")
    told = lines(out)
    assert len(told) == 5
    for line in told:
        normal = np.asarray(Image.open(Path(parts.profile.root) / line["normal"]).convert("RGB"))
        image, mask = (np.asarray(Image.open(out / line[name])) for name in ("image", "mask"))
        assert (image != normal).any(axis=2)[mask > 0].mean() > 0.9
        assert not (image != normal).any(axis=2)[mask == 0].any()
        assert line["kind"] == "spot"
        assert line["anomaly"].startswith("test/spot/")
        assert line["brief"]["place"] == "centre"
        assert all(verdict["passed"] is not False for verdict in line["verdicts"])
    agentad.generate(parts.dir, count=5, conditions=["type=spot", "place=centre"], out=tmp_path / "again")
    assert files(out) == files(tmp_path / "again")
    other = agentad.generate(parts.dir, count=2, out=out, seed=1)
    assert len(lines(out)) == other.made == 2


def test_the_mvtec_layout_is_read_as_such(parts, tmp_path):
    out = tmp_path / "out"
    found = agentad.generate(parts.dir, count=4, conditions=["type=hole"], layout="mvtec", out=out)
    assert found.generator.tool == "manipulated-normals"
    assert found.notes[0] == "No real anomaly is of type hole: it is drawn, not like a real one."
    assert {line["kind"] for line in lines(out)} == {"hole"}
    shutil.copytree(Path(parts.profile.root) / "train", out / "train")
    profile = agentad.profile(out)
    assert (profile.layout, profile.types, profile.image.masks) == ("mvtec", {"hole": found.made}, found.made)


def test_what_cannot_be_made_is_said_and_leaves_nothing(parts, tmp_path, capsys):
    out = tmp_path / "out"
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "mine.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match=r"foreign: not empty and not an earlier batch; give another folder"):
        agentad.generate(parts.dir, count=1, out=foreign)
    with pytest.raises(InputError, match="residual-paste does not read text"):
        agentad.generate(parts.dir, count=1, conditions=["text=a dent"], out=out)
    with pytest.raises(InputError, match="there is no tool 'magic'; the generators for images are"):
        agentad.generate(parts.dir, count=1, generator="magic", out=out)
    with pytest.raises(InputError, match="count 0, seed 0: give a count of at least 1"):
        agentad.generate(parts.dir, count=0, out=out)
    large = ["generate", parts.dir, "--count", "1", "--condition", "size=0.99..1", "--out", str(out), "--json"]
    assert execute(large) == 3
    assert json.loads(capsys.readouterr().out)["error"].startswith(
        "residual-paste found nothing that meets the conditions and passes the verifiers (rejected: no place "
    )
    assert not out.exists()


def test_rows_meet_their_conditions(labelled, tmp_path, capsys):
    report = made(labelled, tmp_path, modality="table", loop=False)
    out = tmp_path / "out"
    arguments = ["generate", report.run, "--count", "8", "--condition", "x above 0", "--out", str(out), "--json"]
    assert execute(arguments) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["made"], told["layout"], told["dir"]) == (8, "plain", str(out))
    rows = np.genfromtxt(out / "rows.csv", delimiter=",", names=True)
    assert len(rows) == len(lines(out)) == 8
    assert (rows["x"] > 0).all()
    assert all(line["distance_ratio"] > 0 for line in lines(out))
    assert any(line["verdicts"] for line in lines(out))
    with pytest.raises(InputError, match="the mvtec layout is for images"):
        agentad.generate(report.run, count=1, layout="mvtec", out=out)
    with pytest.raises(InputError, match="'type' names no single column; the columns are x, y, label"):
        agentad.generate(report.run, count=1, conditions=["type=scratch"], out=out)
    with pytest.raises(Infeasible, match="sizes and places are of images, and this run is of rows"):
        agentad.stress(report.run)
    with labelled.open("a", encoding="utf-8") as file:
        file.write("1,1,0\n")
    with pytest.raises(InputError, match=r"points.csv has changed since run points-csv-\w+ was made; run again on it"):
        agentad.generate(report.run, count=1, out=out)


def test_of_data_that_may_hide_anomalies_nothing_is_invented(labelled, tmp_path):
    report = made(labelled, tmp_path, modality="table", loop=False, training="contaminated")
    with pytest.raises(Infeasible, match="without items known to be normal nothing can be invented"):
        agentad.generate(report.run, count=1, out=tmp_path / "out")


def test_stress_counts_what_is_found(parts, capsys):
    found = agentad.stress(parts.dir, count=2, generator="manipulated-normals")
    assert (found.normals, found.learned, len(found.cells)) == (4, False, 18)
    assert {cell.size for cell in found.cells} == {"small", "medium", "large"}
    assert all(cell.found <= cell.made <= 2 for cell in found.cells)
    large = [c for c in found.cells if c.size == "large" and c.strength == "strong"]
    small = [c for c in found.cells if c.size == "small" and c.strength == "faint"]
    assert sum(c.found for c in large) > sum(c.found for c in small)
    assert found.notes[0].startswith("These anomalies are invented (made with manipulated-normals from 4 real ones)")
    assert execute(["stress", parts.dir, "--count", "1"]) == 0
    said = capsys.readouterr().out
    assert "Note: These anomalies are invented" in said
    assert "Of the same 4 normal images unchanged, " in said
