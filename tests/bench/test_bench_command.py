import json

import numpy as np
import pytest
from typer.testing import CliRunner

from agentad.cli.app import app
from agentad.errors import InputError


def _run(*arguments):
    return CliRunner().invoke(app, ["bench", *map(str, arguments)])


def test_one_document(tables):
    result = _run("tables", "--data", tables / "far.npz", "--protocol", "contaminated", "--seeds", 1, "--json")
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert (found["suite"], found["protocol"]) == ("tables", "contaminated")
    assert {"rows", "summary"} <= found.keys()


def test_a_table_for_people_with_what_failed_and_what_was_skipped(tables, tmp_path):
    (tables / "broken.npz").write_bytes(b"PK not a zip")
    result = _run("tables", "--data", tables, "--out", tmp_path / "rows.jsonl")
    lines = result.stdout.splitlines()
    assert lines[0].split()[:5] == ["detector", "auroc", "ap", "rank", "fit_s"]
    assert lines[1].split()[:3] == ["default", "1.000", "1.000"]
    assert any(line.startswith("Failed: broken (default, knn1, ") for line in lines)
    assert "Skipped: index (no label column with normal and anomalous rows)" in lines
    assert lines[-1] == f"Rows: {tmp_path / 'rows.jsonl'}"


@pytest.fixture
def labelled(tmp_path):
    """30 normal rows and 12 anomalies far from them."""
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(size=(30, 2)), rng.normal(20, 1, size=(12, 2))])
    np.savez(tmp_path / "labelled.npz", X=x, y=np.repeat([0, 1], [30, 12]))
    return tmp_path / "labelled.npz"


def test_few_shot_for_people_and_as_a_document(labelled, tmp_path):
    options = ("--data", labelled, "--protocol", "few-shot", "--shots", "2,1", "--detectors", "few-real")
    lines = _run("tables", *options, "--out", tmp_path / "rows.jsonl").stdout.splitlines()
    assert lines[0].split() == [
        *("detector", "shots", "ap", "auroc", "rank", "invent_s", "head_s", "fit_s", "score_s", "diffusion"),
        *("against", "few-real", "against", "gaussian-rows"),
    ]
    assert [line.split()[:2] for line in lines[1:7]] == [
        [name, shots] for shots in ("1", "2") for name in ("few-real", "unsupervised", "gaussian-rows")
    ]
    found = json.loads(_run("tables", *options, "--out", tmp_path / "rows.jsonl", "--json").stdout)
    assert (found["shots"], len(found["rows"]), len(found["summary"])) == ([1, 2], 6, 6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--shots", "1"), "shots 1: semi learns from no labelled anomaly; use few-shot"),
        (("--protocol", "few-shot", "--shots", "1,x"), "shots '1,x': give whole numbers such as 1,5,10"),
    ],
)
def test_shots_that_make_no_sense_are_refused(labelled, options, message):
    result = _run("tables", "--data", labelled, *options)
    assert isinstance(result.exception, InputError)
    assert str(result.exception) == message


def test_a_protocol_that_does_not_exist_is_refused(tables):
    assert _run("tables", "--data", tables, "--protocol", "no-shot").exit_code == 2


@pytest.mark.usefixtures("no_weights")
def test_images_in_several_folders(spots, tmp_path):
    (tmp_path / "b").mkdir()
    spots.rename(tmp_path / "b" / "spots")
    folder = tmp_path / "b"
    options = ("--data", folder, "--data", folder / "spots", "--detectors", "mahalanobis", "--aupro-limit", 0.1)
    result = _run("images", *options, "--json")
    found = json.loads(result.stdout)
    assert (found["suite"], found["aupro_limit"]) == ("images", 0.1)
    assert {row["dataset"] for row in found["rows"]} == {"b/spots", "spots"}
    lines = _run("images", *options).stdout.splitlines()
    assert lines[0].split()[:4] == ["detector", "image_auroc", "pixel_ap", "aupro"]
