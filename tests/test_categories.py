"""One run on a folder of two categories: stripes across, and stripes down; each is an anomaly among the other."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import agentad
from agentad.errors import DetectorRefused, InputError
from agentad.flow import Step
from agentad.tools import fitted as tool
from agentad.tools.adapter import load
from agentad.tools.categories import untold

pytestmark = pytest.mark.usefixtures("no_weights")


def _draw(path, *, down):
    rng = np.random.default_rng(int(path.stem) + 100 * down)
    wave = 120 + 60 * np.sin(np.arange(64) / 3 + rng.uniform(0, 6))
    image = np.repeat(wave[:, None], 64, 1) + rng.normal(0, 4, (64, 64))
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.clip(image.T if down else image, 0, 255).astype(np.uint8)).save(path)


@pytest.fixture
def parts(tmp_path):
    root = tmp_path / "parts"
    for down, name in enumerate(("across", "down")):
        for i in range(12):
            _draw(root / name / "train" / "good" / f"{i:02}.png", down=bool(down))
        for i in range(12, 15):
            _draw(root / name / "test" / "good" / f"{i}.png", down=bool(down))
        for i in range(15, 18):
            _draw(root / name / "test" / "turned" / f"{i}.png", down=not down)
    return root


@pytest.fixture
def report(parts):
    plan = agentad.plan("find the bad parts", data=parts, target_far=0.1)
    settings = {"steps": 20, "size": 4000, "components": 16, "pool": 8}
    return agentad.run_plan(
        plan.model_copy(update={"detector": Step(tool="bank-diffusion", params=settings)}), data=parts
    )


def _lines(found):
    lines = Path(found.scores).read_text(encoding="utf-8").splitlines()
    return {line["id"]: line for line in map(json.loads, lines)}


def _category(line):
    return line["evidence"][0]


def test_a_folder_of_categories_gets_one_model_told_of_them(report, parts, tmp_path):
    found = report.metrics["bank-diffusion"]
    assert found.auroc == 1.0
    assert set(found.by_category) == {"across", "down"}
    assert all(own["auroc"] == own["recall"] == 1.0 for own in found.by_category.values())
    assert report.metrics["memory-bank"].auroc < 0.8  # which is not told: nothing in the union is strange
    told = "one model for 2 categories (across, down); each image is compared with normals of its own"
    assert told in report.notes
    assert "<h3>By category</h3>" in Path(report.report).read_text(encoding="utf-8")

    detected = agentad.detect(report.detector, data=parts, out=tmp_path / "same")
    assert detected.notes == (told,)
    line = _lines(detected)["across/test/turned/15.png"]
    assert _category(line) == {"kind": "category", "category": "across", "inferred": False}
    assert all(e["neighbour"].startswith("across/") for e in line["evidence"][1:])

    one = _lines(agentad.detect(report.detector, data=parts / "down", out=tmp_path / "one"))
    assert one["test/turned/15.png"]["flag"]  # the folder itself says which category
    assert not _category(one["test/turned/15.png"])["inferred"]

    shutil.copytree(parts / "down" / "test" / "good", tmp_path / "new")
    new = agentad.detect(report.detector, data=tmp_path / "new", out=tmp_path / "unknown")
    assert new.notes[1] == (
        "3 images lie in no folder called like one of these: each is taken to be of the category whose normals are "
        "nearest, which its evidence names"
    )
    lines = _lines(new).values()
    assert [_category(line) for line in lines] == [{"kind": "category", "category": "down", "inferred": True}] * 3
    score = {name.rpartition("/")[2]: line["score"] for name, line in one.items() if "test/good" in name}
    assert {line["id"]: line["score"] for line in lines} == score

    with pytest.raises(InputError, match="it is one model for 2 categories, and is told by the folder which one"):
        agentad.export(report.detector, tmp_path / "export")
    loaded = load(Path(report.detector))
    assert loaded.categories == ("across", "down")
    folder = tmp_path / "short"
    tool.save(replace(loaded, categories=("across",)), folder)
    with pytest.raises(DetectorRefused, match="1 names for the detector's categories"):
        load(folder)


def test_a_category_with_one_image_to_learn_from_leaves_all_untold(parts):
    for i in range(1, 12):
        (parts / "down" / "train" / "good" / f"{i:02}.png").unlink()
    data = tool.road("image").look(parts)
    items = data.items.take(data.items.given == "train")
    plan = agentad.plan("find the bad parts", data=parts)
    step = Step(tool="bank-diffusion", params={"steps": 2, "components": 4})
    encoder, sample, x = tool.encode_sample(plan, data, np.flatnonzero(data.items.given == "train"))
    assert len(sample) == len(items) == 13
    fitted = tool.fit(plan, step, encoder, x, items)
    assert fitted.categories == ()
    said = "2 categories are learned as if they were one, and the detector is not told which is which: "
    assert untold(fitted.scorer, data.items) == (
        f"{said}it is told only where every image to learn from lies in one, and each has 2 different ones at least",
    )
    assert untold(tool.make(Step(tool="memory-bank")), data.items) == (f"{said}it has no use for them",)
