import shutil

import pytest

from agentad.backbones.filters import PatchFilters
from agentad.bench import bench_images
from agentad.bench.images import Images
from agentad.bench.methods import find, names
from agentad.errors import InputError
from agentad.flow import Step
from agentad.modalities.image import open_images
from agentad.tools.road import silent

pytestmark = pytest.mark.usefixtures("no_weights")


@pytest.fixture
def categories(spots):
    root = spots.parent / "categories"
    shutil.copytree(spots, root / "spots")
    (root / "notes").mkdir()
    (root / "readme.txt").write_text("categories", encoding="utf-8")
    return root


def test_a_bright_square_is_found_and_outlined(categories, monkeypatch):
    encoded, encode = [], PatchFilters.encode
    monkeypatch.setattr(PatchFilters, "encode", lambda self, x: encoded.append(len(x)) or encode(self, x))
    found = bench_images(categories, detectors="memory-bank", seeds=2)
    assert sum(encoded) == 16 + 8  # every image once for both seeds
    assert [(row["dataset"], row["detector"], row["seed"]) for row in found["rows"]] == [
        ("spots", "memory-bank", 0),
        ("spots", "memory-bank", 1),
    ]
    for row in found["rows"]:
        assert (row["image_auroc"], row["image_ap"], row["f1max"]) == (1.0, 1.0, 1.0)
        assert row["pixel_auroc"] > 0.95
        assert 0 < row["pixel_ap"] <= 1
        assert 0 < row["aupro"] <= 1
        assert row["ms_per_image"] >= row["encode_ms"] > 0
        assert (row["learned"], row["judged"], row["anomalous"], row["encoder"]) == (16, 8, 4, "patch-filters")
    (entry,) = found["summary"]
    assert (entry["image_auroc"], entry["rank"], entry["diffusion"], entry["wins_vs"]) == (1.0, 1.0, False, {})
    count = len(encoded)
    assert bench_images(categories, detectors="memory-bank", seeds=2) == found
    assert len(encoded) == count


def test_default_is_what_the_rules_choose_and_tools_are_set_as_in_its_plan(categories):
    case = Images().case(open_images(categories / "spots"), 3, None, silent)
    methods = {name: find(name, case) for name in names("all", "image", "normal", ("memory-bank",))}
    assert {name: (m.tool, m.diffusion) for name, m in methods.items()} == {
        "default": ("bank-diffusion", True),
        "bank-diffusion": ("bank-diffusion", True),
        "feature-diffusion": ("feature-diffusion", True),
        "memory-bank": ("memory-bank", False),
        "reconstruction": ("reconstruction", True),
    }
    assert methods["reconstruction"].case.plan.encoder == Step(tool="pixels", params={"size": 64})
    assert methods["reconstruction"].case.x.shape == (16, 64, 64, 3)
    assert methods["memory-bank"].case is case  # on patch features, as ever
    assert methods["default"].same == methods["bank-diffusion"].same
    assert methods["memory-bank"].same == f"memory-bank {sorted(case.plan.baselines[0].params.items())}"
    assert case.plan.seed == 3


def test_a_category_that_cannot_be_judged_is_skipped(categories):
    shutil.copytree(categories / "spots" / "train", categories / "plain" / "train")
    (categories / "plain" / "test").mkdir()
    found = bench_images(categories, detectors="memory-bank")
    assert {row["dataset"] for row in found["rows"]} == {"spots"}
    assert found["skipped"] == [
        {"path": "plain", "reason": "not a category: it needs train/good, and good and anomalous images in test"}
    ]


def test_a_folder_without_categories_is_refused(categories):
    with pytest.raises(InputError) as caught:
        bench_images(categories / "notes")
    assert str(caught.value) == f"{categories / 'notes'}: holds no data set for `bench images`"
