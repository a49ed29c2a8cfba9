import json

import numpy as np
import pytest
from PIL import Image
from scipy.stats import wilcoxon
from typer.testing import CliRunner

from agentad import assets
from agentad.backbones.filters import PatchFilters
from agentad.bench import bench_loop
from agentad.bench.loop import paired
from agentad.bench.loop_suite import LoopImages, LoopTables
from agentad.cli.app import app
from agentad.errors import InputError
from agentad.generators.images.paste import ResidualPaste
from agentad.modalities.image import open_images
from agentad.tools import tables as road
from agentad.tools.road import silent

pytestmark = pytest.mark.usefixtures("no_weights")


@pytest.fixture(autouse=True)
def quick(tmp_path, monkeypatch):
    """A user's own cards: what learns does so for a moment."""
    own = tmp_path / ".agentad" / "tools"
    own.mkdir(parents=True)
    for tool, fewer in (
        ("bank-diffusion", {"default: 400": "default: 10", "default: 160": "default: 24", "default: 32": "default: 0"}),
        ("patch-head", {"default: 300": "default: 60", "default: 64": "default: 16"}),
        ("few-label-head", {"default: 200": "default: 40"}),
    ):
        card = assets.read("tools", f"{tool}.md")
        for usual, few in fewer.items():
            card = card.replace(usual, few)
        (own / f"{tool}.md").write_text(card, encoding="utf-8")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def marks(tmp_path):
    """Striped images; six anomalies of either type, faint beside the smudges that normal images have too."""
    rng = np.random.default_rng(0)
    root = tmp_path / "marks"

    def draw(folder, name, kind=None):
        wave = 120 + 30 * np.sin(np.arange(64) / 3 + rng.uniform(0, 6))
        image = np.repeat(wave[:, None], 64, 1) + rng.normal(0, 4, (64, 64))
        row, column = rng.integers(8, 48, 2)
        image[row : row + 8, column : column + 8] += rng.choice([-45, 45])
        if kind is not None:
            at = (slice(int(row) // 2, int(row) // 2 + 8), slice(4, 12))
            image[at] = {"dot": 250, "dash": image[at] * 0.4}[kind]
            mask = np.zeros((64, 64), np.uint8)
            mask[at] = 255
            (root / "ground_truth" / kind).mkdir(parents=True, exist_ok=True)
            Image.fromarray(mask).save(root / "ground_truth" / kind / f"{name}_mask.png")
        (root / folder).mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.clip(image, 0, 255).astype(np.uint8)).save(root / folder / f"{name}.png")

    for i in range(14):
        draw("train/good", f"{i:02}")
    for i in range(6):
        draw("test/good", f"{i:02}")
        draw("test/dot", f"{i:02}", "dot")
        draw("test/dash", f"{i:02}", "dash")
    return root


@pytest.fixture
def hidden(tmp_path):
    """A table whose 24 anomalies lie among the normal rows: where a and b are both near 1. Only labels tell."""
    root = tmp_path / "hidden"
    root.mkdir()
    rng = np.random.default_rng(0)
    normal = rng.normal(size=(240, 4))
    normal[(normal[:, :2] > 0.6).all(axis=1), 0] *= -1
    anomalous = np.hstack([rng.normal(1, 0.1, size=(24, 2)), rng.normal(size=(24, 2))])
    np.savez(root / "hidden.npz", X=np.concatenate([normal, anomalous]), y=np.repeat([0, 1], [240, 24]))
    return root


def test_images_through_every_default_configuration(marks, monkeypatch):
    encoded, encode = [], PatchFilters.encode
    monkeypatch.setattr(PatchFilters, "encode", lambda self, x: encoded.append(len(x)) or encode(self, x))
    options = {"shots": (2,), "seeds": 1, "count": 6, "rounds": 2}
    found = bench_loop(marks, **options)
    names = ("unsupervised", "few-real", "paste", "loop")
    assert [(row["configuration"], row["shots"], row["seed"]) for row in found["rows"]] == [
        (name, 2, 0) for name in names
    ]
    assert (found["suite"], found["modality"], found["paste"]) == ("loop", "image", "residual-paste")
    rows = {row["configuration"]: row for row in found["rows"]}
    for row in rows.values():
        assert (row["learned"], row["judged"], row["anomalous"]) == (14, 6 + 12 - 4, 8)
        assert row["by_type"].keys() == {"dot", "dash"}
        assert row["fit_s"] >= row["detector_s"] + row["head_s"] > 0
    assert rows["few-real"]["pixel_ap"] > rows["unsupervised"]["pixel_ap"]
    assert {name for name, row in rows.items() if "generation" in row} == {"paste"}
    made = rows["paste"]["generation"]
    assert made["made"] + made["dropped"] == 6
    assert 0 < made["nearest_real"] < 4
    assert {"visible", "visible_real", "kernel_distance", "kernel_distance_known", "copies"} <= made.keys()
    # once alone, then again beside one lot of invented ones
    taken = rows["loop"]["rounds"]
    assert [one["made"] > 0 for one in taken] == [False, True]
    assert rows["loop"]["adopted"] == sum(one["adopted"] for one in taken)
    if not rows["loop"]["adopted"]:
        assert rows["loop"]["image_auroc"] == rows["unsupervised"]["image_auroc"]
    assert {name: (row["tool"], row["diffusion"]) for name, row in rows.items()} == {
        "unsupervised": ("bank-diffusion", True),
        "few-real": ("patch-head", False),
        "paste": ("residual-paste", False),
        "loop": ("residual-paste", False),
    }
    summary = {entry["configuration"]: entry for entry in found["summary"]}
    assert {name: set(entry["against"]) for name, entry in summary.items()} == {
        name: {"unsupervised", "few-real", "paste"} - {name} for name in names
    }
    gain = summary["few-real"]["against"]["unsupervised"]["pixel_ap"]
    assert gain["difference"] == pytest.approx(summary["few-real"]["pixel_ap"] - summary["unsupervised"]["pixel_ap"])
    count = len(encoded)
    assert bench_loop(marks, **options) == found
    assert len(encoded) == count


def test_nothing_that_is_learned_from_is_judged_and_more_shots_judge_the_same_items(marks):
    suite = LoopImages((1, 3), 1, 4, None)
    data = open_images(marks)
    first = suite.case(data, 0, None, silent)
    second = suite.case(data, 1, first, silent)  # the normal images are the same for all seeds
    for case in (first, second):
        few, many = case.known(1), case.known(3)
        assert (len(few), len(many)) == (2, 6)
        assert np.isin(few, many).all()
        assert not np.isin(case.data.items.group[case.test], case.data.items.group[many]).any()
        assert len(case.test) == 6 + 12 - 6
        np.testing.assert_array_equal(case.encode(many), case.said.x[np.searchsorted(case.pool, many)])
        np.testing.assert_array_equal(case.encode(case.train[2:5]), case.x[2:5])
    assert second.fitted is first.fitted
    assert not np.array_equal(first.known(3), second.known(3))
    outlined = first.said.where[first.data.items.label[first.pool] == 1]
    assert (outlined.reshape(12, -1).max(axis=1) > 0).all()


def test_without_a_real_anomaly_only_invented_ones_teach(marks):
    found = bench_loop(marks, shots=(0,), count=4, rounds=1)
    rows = {row["configuration"]: row for row in found["rows"]}
    assert rows.keys() == {"unsupervised", "loop"}
    assert rows["loop"]["tool"] == "manipulated-normals"
    (only,) = rows["loop"]["rounds"]
    assert "nothing can be proven" in only["why"]
    asked = bench_loop(marks, shots=(0,), count=4, configurations="paste,few-real,manipulated-normals")
    told = {row["configuration"]: row for row in asked["rows"]}
    assert told["paste"]["error"].startswith("residual-paste takes anomalies from real defects and there is none")
    assert told["few-real"]["image_auroc"] == told["unsupervised"]["image_auroc"]  # there is nothing to learn from
    assert "nearest_real" not in told["manipulated-normals"]["generation"]


def test_what_nobody_looks_at_is_not_rejected(marks, monkeypatch):
    asked, fit = [], ResidualPaste.fit
    monkeypatch.setattr(ResidualPaste, "fit", lambda *a, **k: asked.append(len(a[2])) or fit(*a, **k))
    found = bench_loop(marks, shots=(2,), count=4, configurations="residual-paste,paste-unverified")
    rows = {row["configuration"]: row for row in found["rows"]}
    assert set(rows["paste-unverified"]["generation"]["rejected"]) <= {"no place"}
    named, default = ({k: v for k, v in rows[n].items() if k != "configuration"} for n in ("residual-paste", "paste"))
    assert named == default
    assert asked == [4, 4]  # the same is not done twice


def test_tables_go_the_same_way(hidden):
    found = bench_loop(
        hidden, shots=(1, 5), count=40, rounds=1, configurations="unsupervised,default,loop:even,gaussian-rows"
    )
    assert (found["modality"], found["paste"], found["metric"]) == ("table", "transplanted-rows", None)
    rows = {(row["configuration"], row["shots"]): row for row in found["rows"]}
    assert not any("error" in row for row in rows.values())
    assert {name for name, _ in rows} == {"unsupervised", "few-real", "paste", "loop", "loop:even", "gaussian-rows"}
    assert {row["anomalous"] for row in rows.values()} == {19}
    assert rows["unsupervised", 1]["ap"] == rows["unsupervised", 5]["ap"] < rows["few-real", 5]["ap"] - 0.2
    made = rows["paste", 5]["generation"]
    assert made["made"] + made["dropped"] == 40
    assert rows["gaussian-rows", 5]["tool"] == "gaussian-rows"
    assert rows["loop:even", 5]["adopted"] == 1
    assert rows["loop:even", 5]["ap"] == rows["few-real", 5]["ap"]  # its first round is nothing else
    assert rows["loop:even", 1]["adopted"] == 0  # one anomaly proves nothing
    assert rows["loop:even", 1]["ap"] == rows["unsupervised", 1]["ap"]
    json.dumps(found, allow_nan=False)


def test_a_gate_can_be_told_its_metric(hidden):
    suite = LoopTables((5,), 2, 10, "auroc", 1000)
    case = suite.case(road.look(hidden / "hidden.npz"), 0, None, silent)
    loop, how, tool = suite._configured("loop:random", case, 5)
    assert (loop.metric, loop.feedback, loop.rounds, loop.count, loop.shots) == ("auroc", "random", 2, 10, 5)
    assert (how, tool) == ("rounds", "transplanted-rows")


def test_pairs_are_of_one_data_set_and_seed():
    values = {"loop": [0.9, 0.8, 0.7, 0.6], "few-real": [0.8, 0.8, 0.5, 0.7]}
    rows = [
        {"configuration": name, "dataset": f"d{i // 2}", "seed": i % 2, "ap": value}
        for name, own in values.items()
        for i, value in enumerate(own)
    ]
    found = paired([*rows, {**rows[0], "seed": 5, "ap": 0.0}], "loop", "few-real", "ap")
    assert found == {
        "difference": pytest.approx(0.05),
        "p": wilcoxon([0.1, 0.2, -0.1]).pvalue,
        "wins": 2,
        "ties": 1,
        "losses": 1,
    }
    assert paired(rows, "loop", "paste", "ap") == {"difference": None, "p": None, "wins": 0, "ties": 0, "losses": 0}


def test_a_failure_is_a_row_and_too_few_anomalies_are_too(marks):
    found = bench_loop(marks, shots=(10,), configurations="unsupervised")
    assert {row["error"] for row in found["rows"]} == {
        "0 anomalies are left to judge where 10 of each type are learned from; 1 are needed, and normal items"
    }


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shots": (1, 1)}, "shots 1,1: give different whole numbers, such as 1,5,10, or 0 for no real anomaly"),
        ({"shots": (-1,)}, "shots -1: give different whole numbers, such as 1,5,10, or 0 for no real anomaly"),
        ({"count": 0}, "rounds 3, count 0: give at least 1"),
    ],
)
def test_bad_options_are_refused(hidden, options, message):
    with pytest.raises(InputError) as caught:
        bench_loop(hidden, **options)
    assert str(caught.value) == message


def test_images_and_tables_are_not_mixed(hidden, marks):
    with pytest.raises(InputError, match="give folders of images or of tables, not both"):
        bench_loop([hidden, marks])


def test_for_people_and_as_a_document(hidden, tmp_path):
    options = ("--data", hidden, "--shots", "5", "--configurations", "few-real", "--out", tmp_path / "rows.jsonl")

    def run(*more):
        return CliRunner().invoke(app, ["bench", "loop", *map(str, (*options, *more))])

    lines = run().stdout.splitlines()
    assert lines[0].split()[:6] == ["configuration", "shots", "ap", "auroc", "cpu_s", "diffusion"]
    assert [line.split()[0] for line in lines[1:4]] == ["few-real", "unsupervised", "paste"]
    assert lines[-1] == f"Rows: {tmp_path / 'rows.jsonl'}"
    found = json.loads(run("--json").stdout)
    assert (found["suite"], found["shots"], len(found["rows"])) == ("loop", [5], 3)
    assert run("--shots", "x").exception is not None
