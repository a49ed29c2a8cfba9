"""From a detector to its export and back on the road."""

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from PIL import Image

import agentad
from agentad import api
from agentad.cli import execute
from agentad.errors import AgentadError, DetectorRefused, InputError, MissingExtra
from agentad.exported import parity
from agentad.exported.load import load
from agentad.flow import Step


def lines(detection):
    return [json.loads(line) for line in Path(detection.scores).read_text(encoding="utf-8").splitlines()]


def spread(detector):
    return float(agentad.load(detector).fitted.calibration.scores.std())


def test_an_export_says_what_the_detector_says(exported, spots, tmp_path):
    detector, folder = exported
    ours = lines(agentad.detect(folder, data=spots / "test", out=tmp_path / "ours"))
    theirs = lines(agentad.detect(detector, data=spots / "test", out=tmp_path / "theirs"))
    assert len(ours) == 8
    assert any(line["flag"] for line in ours)
    assert [line["id"] for line in ours] == [line["id"] for line in theirs]
    for our, their in zip(ours, theirs, strict=True):
        assert our["score"] == pytest.approx(their["score"], abs=1e-3 * spread(detector))
        assert (our["flag"], our["p_value"], our["map"]) == (their["flag"], their["p_value"], their["map"])
        for one, other in zip(our["evidence"], their["evidence"], strict=True):
            assert (one["box"], one["neighbour"], one["p_value"]) == (
                other["box"],
                other["neighbour"],
                other["p_value"],
            )
            assert one["doubt"] == pytest.approx(other["doubt"], abs=1e-3)
        map_of = [np.asarray(Image.open(tmp_path / side / our["map"])) for side in ("ours", "theirs")]
        np.testing.assert_allclose(*map_of, atol=1e-3 * spread(detector))


def test_the_graph_alone_is_enough(exported, spots):
    detector, folder = exported
    session = onnxruntime.InferenceSession(folder / "detector.onnx", providers=["CPUExecutionProvider"])
    for item in agentad.load(detector).score(spots / "test"):
        pixels = np.asarray(Image.open(spots / "test" / item.id).convert("RGB"))
        names = [output.name for output in session.get_outputs()]
        found = dict(zip(names, session.run(names, {"image": pixels[None]}), strict=True))
        assert found["score"][0] == pytest.approx(item.score, abs=1e-3 * spread(detector))
        assert found["p_value"][0] == pytest.approx(item.p_value)
        assert found["flag"][0] == item.flag
        assert found["map"].shape == pixels.shape[:2]
        assert found["patch_map"].shape == (8, 8)


def test_the_manifest_says_what_is_inside(exported):
    detector, folder = exported
    manifest = json.loads((folder / "export.json").read_text(encoding="utf-8"))
    files = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    assert files == {"export.json", *manifest["files"]}
    for name, digest in manifest["files"].items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
    assert manifest["threshold"] == agentad.load(detector).threshold.model_dump(mode="json")
    names = [output["name"] for output in manifest["outputs"]]
    assert names == ["score", "p_value", "flag", "map", "patch_map", "neighbour", "doubt"]
    assert all(output["meaning"] for output in manifest["outputs"])
    assert (manifest["input"]["name"], manifest["opset"], manifest["weights"]) == ("image", 18, [])
    found = manifest["parity"]
    assert found["images"] == 8  # those it did not learn from
    assert found["largest_difference"] <= 1e-3
    assert "as_fitted" not in found
    assert manifest["libraries"]["onnxruntime"] == onnxruntime.__version__


@pytest.mark.usefixtures("tiny_weights_here")
def test_a_bfloat16_network_without_known_normals(fit_on, spots, tmp_path, capsys):
    step = Step(tool="dinov2-small", params={"blocks": "1,3", "size": 112, "dtype": "bfloat16"}, why="a test")
    detector = fit_on("memory-bank", step, "contaminated")
    arguments = ["export", str(detector), str(tmp_path / "out"), "--to", "onnx", "--data", str(spots)]
    assert execute([*arguments, "--json"]) == 0
    manifest = json.loads(capsys.readouterr().out)
    assert manifest["weights"][0]["licence"] == "Apache-2.0"
    assert manifest["parity"]["reference"] == "the detector in float32"
    assert manifest["parity"]["largest_difference"] <= 1e-3
    assert manifest["parity"]["as_fitted"]["largest_difference"] > 1e-3
    ours = agentad.load(tmp_path / "out").score(spots / "test")
    theirs = agentad.load(detector).score(spots / "test")
    assert [i.id for i in ours] == [i.id for i in theirs]
    away = max(abs(a.score - b.score) for a, b in zip(ours, theirs, strict=True)) / manifest["parity"]["spread"]
    assert 0 < away <= 2 * manifest["parity"]["as_fitted"]["largest_difference"]
    assert ours[0].p_value == pytest.approx(theirs[0].p_value, rel=0.5)


def test_loading_an_export_needs_no_torch(exported):
    code = "import sys; from agentad import api; api.load(sys.argv[1]); print('torch' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", code, exported[1]], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "False"


def test_scores_that_differ_leave_nothing_behind(exported, fit_on, spots, tmp_path, monkeypatch):
    _, folder = exported
    another = fit_on("bank-diffusion", seed=1)

    def write(module, path):
        shutil.copy(folder / "detector.onnx", path)
        return ("score", "p_value", "flag", "map", "patch_map", "neighbour", "doubt")

    monkeypatch.setattr("agentad.exported.graph.write", write)
    kept = sorted(path.name for path in tmp_path.iterdir())
    with pytest.raises(
        AgentadError, match=r"^the export would score differently from the detector: by up to .* of the"
    ):
        api.export(another, tmp_path / "wrong", data=spots)
    assert sorted(path.name for path in tmp_path.iterdir()) == kept


@pytest.mark.parametrize("spoiled", ["item", "map", "nothing"])
def test_parity_is_measured_in_spreads_of_scores_and_of_maps(spoiled):
    rng = np.random.default_rng(0)
    scores, maps = rng.normal(size=40), rng.normal(size=(40, 3, 3))

    class Fake:
        train_ids = ("a", "b")
        calibration = type("C", (), {"scores": 5 * scores, "flags": staticmethod(lambda s: s > 0)})

        def __init__(self, item, local):
            self.item, self.local = item, local

        def scored(self, data, index, progress):
            yield None, type("S", (), {"item": self.item[index], "local": self.local[index]})

    items = type("I", (), {"id": np.array([str(i) for i in range(40)], dtype=object), "__len__": lambda self: 40})()
    data = type("D", (), {"items": items})
    off = {"item": 0.002 * scores.std(), "map": 0.002 * maps.std(), "nothing": 1e-6}
    ours = Fake(scores + off[spoiled] * (spoiled != "map"), maps + off[spoiled] * (spoiled != "item"))
    truth = Fake(scores, maps)
    if spoiled == "nothing":
        assert parity.compare(ours, truth, truth, data)["images"] == 32
    else:
        with pytest.raises(AgentadError, match=r"over 32 images, where 0.001 is allowed"):
            parity.compare(ours, truth, truth, data)


def test_scores_all_alike_have_to_be_equal():
    assert parity.spread_of(np.full(9, 2.0)) == 2e-6
    assert parity.spread_of(np.zeros(9)) == 1e-12


def test_tables_cannot(curve, tmp_path, capsys):
    plan = agentad.plan("odd rows", data=curve)
    step = plan.detector.model_copy(update={"tool": "memory-bank", "params": {}})
    report = agentad.run_plan(plan.model_copy(update={"detector": step, "baselines": ()}), data=curve)
    assert execute(["export", report.run, str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err.endswith(
        "detectors of table data cannot: they read columns of text, dates and categories, which a graph of numbers has "
        "no input for; copy the detector folder and use `agentad detect` there\n"
    )
    assert not (tmp_path / "out").exists()


def test_detectors_nobody_has_written_as_a_graph_cannot(fit_on, monkeypatch, spots, tmp_path):
    monkeypatch.setattr("agentad.exported.detectors.GRAPHS", {})
    folder = fit_on("memory-bank")
    with pytest.raises(InputError) as error:
        api.export(folder, tmp_path / "out", data=spots)
    assert str(error.value) == (
        f"{folder}: the detector memory-bank cannot: nothing in it says how it is written as a graph"
    )


def test_what_else_is_refused(exported, fit_on, spots, tmp_path, monkeypatch):
    detector, folder = exported
    full = tmp_path / "full"
    full.mkdir()
    (full / "mine.txt").write_text("mine")
    refused = [
        ((detector, full, spots), f"{full}: not empty and not an earlier export; give another folder"),
        (
            (folder, tmp_path / "out", spots),
            f"{folder}: this is an export already; give the detector it was made from",
        ),
        (
            (detector, tmp_path / "out", None),
            f"{detector}: not a run, so its images are not known; give real images to compare the export on with "
            "--data",
        ),
    ]
    for (source, target, data), message in refused:
        with pytest.raises(InputError) as error:
            api.export(source, target, data=data)
        assert str(error.value) == message
    with pytest.raises(InputError, match=r"^cannot export to tflite: give onnx$"):
        api.export(detector, tmp_path / "out", to="tflite", data=spots)
    monkeypatch.setattr("agentad.exported.export.find_spec", lambda name: None if name == "onnxscript" else name)
    with pytest.raises(MissingExtra) as missing:
        api.export(detector, tmp_path / "out", data=spots)
    assert str(missing.value) == (
        "exporting needs onnxscript; install what is missing with `pip install 'agentad[export]'`"
    )
    assert (full / "mine.txt").read_text() == "mine"
    assert not (tmp_path / "out").exists()


def test_a_run_knows_its_images_until_they_are_gone(spots, tmp_path, no_weights, monkeypatch):
    plan = agentad.plan("find bad parts", data=spots)
    step = plan.detector.model_copy(update={"tool": "memory-bank", "params": {"size": 50}})
    report = agentad.run_plan(plan.model_copy(update={"detector": step, "baselines": ()}), data=spots)
    seen = []
    monkeypatch.setattr("agentad.exported.export.export", lambda f, source, target, data, p: seen.append(data) or {})
    api.export(report.run, tmp_path / "out")
    assert len(seen[0].items) == 24
    shutil.rmtree(spots)
    with pytest.raises(InputError) as error:
        api.export(report.run, tmp_path / "out")
    assert str(error.value) == (
        f"{spots}: the run's images are not there any more; give real images to compare the export on with --data"
    )


def damage(folder, what):
    manifest = json.loads((folder / "export.json").read_text(encoding="utf-8"))
    model = folder / "detector.onnx"
    if what == "a byte":
        content = bytearray(model.read_bytes())
        content[len(content) // 2] ^= 1
        model.write_bytes(content)
    elif what == "one file more":
        (folder / "more.bin").write_bytes(b"x")
    elif what == "no model":
        model.unlink()
        del manifest["files"]["detector.onnx"]
    elif what == "a link":
        model.rename(folder.parent / "elsewhere.onnx")
        model.symlink_to(folder.parent / "elsewhere.onnx")
    elif what == "another graph":
        from onnx import TensorProto, helper

        value = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1])
        out = helper.make_tensor_value_info("score", TensorProto.FLOAT, [1])
        graph = helper.make_graph([helper.make_node("Abs", ["image"], ["score"])], "g", [value], [out])
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
        model.write_bytes(made.SerializeToString())
        manifest["files"]["detector.onnx"] = hashlib.sha256(model.read_bytes()).hexdigest()
    elif what == "rubbish that is listed":
        model.write_bytes(b"\x3a\x02\x0a\x00")
        manifest["files"]["detector.onnx"] = hashlib.sha256(model.read_bytes()).hexdigest()
    elif what == "a newer format":
        manifest["format"] = 99
    (folder / "export.json").write_text(json.dumps(manifest), encoding="utf-8")


@pytest.mark.parametrize(
    "what",
    [
        "a byte",
        "one file more",
        "no model",
        "a link",
        "another graph",
        "rubbish that is listed",
        "a newer format",
    ],
)
def test_a_damaged_export_is_refused(exported, what, spots, capsys):
    _, folder = exported
    damage(folder, what)
    with pytest.raises(DetectorRefused, match=f"^{folder}"):
        load(folder)
    assert execute(["detect", str(folder), "--data", str(spots)]) == 2
    assert str(folder) in capsys.readouterr().err


def test_without_onnx_runtime_it_says_what_to_install(exported, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingExtra) as error:
        load(exported[1])
    assert str(error.value) == (
        "an exported detector needs ONNX Runtime; install it with `pip install 'agentad[export]'`"
    )
