import shutil

import pytest

from agentad.backbones.filters import PatchFilters
from agentad.bench import bench_images
from agentad.bench.images import METRICS, Images
from agentad.bench.methods import names
from agentad.errors import InputError
from agentad.flow import Step
from agentad.modalities.image import open_images
from agentad.tools.cards import load_cards
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
        ("spots", name, seed) for name in ("memory-bank", "memory-bank-coreset", "mahalanobis") for seed in (0, 1)
    ]
    for row in found["rows"]:
        assert (row["image_auroc"], row["image_ap"], row["f1max"]) == (1.0, 1.0, 1.0)
        assert row["pixel_auroc"] > 0.95
        assert 0 < row["pixel_ap"] <= 1
        assert 0 < row["aupro"] <= 1
        assert row["ms_per_image"] >= row["encode_ms"] > 0
        assert row["by_type"].keys() == {"spot"}
        assert row["by_type"]["spot"] == {key: row[key] for key in METRICS.values()}  # there is but one type
        assert {f"macro_{key}": row[f"macro_{key}"] for key in METRICS.values()} == {
            f"macro_{key}": value for key, value in row["by_type"]["spot"].items()
        }
        assert row["intervals"].keys() == row["macro_intervals"].keys() == set(METRICS.values())
        assert (row["without_mask"], row["notes"], row["aupro_limit"]) == (0, [], 0.3)
        assert row["peak_mb"] > 50
        assert (row["learned"], row["judged"], row["anomalous"], row["encoder"]) == (16, 8, 4, "patch-filters")
    entry = found["summary"][0]
    assert (entry["image_auroc"], entry["macro_image_auroc"], entry["rank"], entry["diffusion"]) == (
        1.0,
        1.0,
        2.0,
        False,
    )
    assert entry["wins_vs"]["mahalanobis"] == {"wins": 0, "ties": 1, "losses": 0, "p": None}
    count = len(encoded)
    assert bench_images(categories, detectors="memory-bank", seeds=2) == found
    assert len(encoded) == count


def test_default_is_what_the_rules_choose_and_tools_are_set_as_in_its_plan(categories):
    case = Images().case(open_images(categories / "spots"), 3, None, silent)
    suite = Images()
    methods = {name: suite.method(name, case, None) for name in names("all", "image", "normal", suite.baselines)}
    assert {name: (m.tool, m.diffusion) for name, m in methods.items()} == {
        "default": ("bank-diffusion", True),
        "bank-diffusion": ("bank-diffusion", True),
        "feature-diffusion": ("feature-diffusion", True),
        "few-shot-bank": ("few-shot-bank", False),
        "mahalanobis": ("mahalanobis", False),
        "memory-bank": ("memory-bank", False),
        "memory-bank-coreset": ("memory-bank", False),
        "reconstruction": ("reconstruction", True),
    }
    assert methods["reconstruction"].case.plan.encoder == Step(tool="pixels", params={"size": 64})
    assert methods["reconstruction"].case.x.shape == (16, 64, 64, 3)
    assert methods["memory-bank"].case is case  # on patch features, as ever
    assert methods["default"].same == methods["bank-diffusion"].same
    own = {name: param.default for name, param in load_cards()["memory-bank"].params.items()}
    assert methods["memory-bank"].same == f"memory-bank {sorted(own.items())}"  # whatever the default is set to
    assert methods["memory-bank-coreset"].same == "memory-bank [('coreset', True)]"
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


def test_categories_lie_up_to_three_folders_deep_and_are_named_by_their_path(categories):
    def put(*folders):
        shutil.copytree(categories / "spots", categories.joinpath(*folders))

    put("a", "b", "deep")
    put("a", "b", "c", "too deep")
    put("a", "spots")
    put(".hidden")
    put("spots", "extra", "inside")  # what lies in a category belongs to it
    found = Images().datasets(categories)
    assert found == {name: categories / name for name in ("a/b/deep", "a/spots", "spots")}


def test_several_roots(categories, tmp_path):
    shutil.copytree(categories, tmp_path / "others")
    found = bench_images([categories, tmp_path / "others"], detectors="memory-bank")
    assert list(dict.fromkeys(row["dataset"] for row in found["rows"])) == ["categories/spots", "others/spots"]
    assert found["data"] == f"{categories}, {tmp_path / 'others'}"
    assert found["summary"][0]["datasets"] == 2
    shutil.copytree(categories, tmp_path / "more" / "others")
    with pytest.raises(InputError) as caught:
        bench_images([tmp_path / "others", tmp_path / "more" / "others"])
    assert str(caught.value) == (
        f"{tmp_path / 'others' / 'spots'} and {tmp_path / 'more' / 'others' / 'spots'} would both be called "
        "others/spots; give a folder that holds both"
    )


def test_nothing_anomalous_is_learned_and_what_is_not_learned_is_judged(categories):
    root = categories / "spots"
    (root / "train" / "spot").mkdir()
    for name in ("00", "01"):
        (root / "test" / "spot" / f"{name}.png").rename(root / "train" / "spot" / f"{name}.png")
    for mask in list((root / "ground_truth" / "spot").iterdir()):  # all masks in one folder, for the training ones only
        mask.rename(root / "ground_truth" / mask.name) if mask.name < "02" else mask.unlink()
    (root / "ground_truth" / "spot").rmdir()
    row = bench_images(categories, detectors="memory-bank")["rows"][0]
    assert (row["learned"], row["judged"], row["anomalous"], row["without_mask"]) == (16, 8, 4, 2)
    assert row["notes"] == [
        "2 training items left out: labelled anomalous",
        "2 anomalous images of the training folder are judged",
    ]
    assert row["pixel_auroc"] > 0.9


def test_the_limit_of_aupro(categories):
    wide, narrow = (
        bench_images(categories, detectors="memory-bank", aupro_limit=limit)["rows"][0] for limit in (0.3, 0.05)
    )
    assert (wide["aupro_limit"], narrow["aupro_limit"]) == (0.3, 0.05)
    assert narrow["aupro"] < wide["aupro"]
    assert narrow["pixel_ap"] == wide["pixel_ap"]
    with pytest.raises(InputError) as caught:
        bench_images(categories, aupro_limit=0)
    assert str(caught.value) == "aupro-limit 0: give a rate above 0, at most 1"
