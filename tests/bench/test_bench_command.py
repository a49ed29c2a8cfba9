import json

from typer.testing import CliRunner

from agentad.cli.app import app


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


def test_a_protocol_that_does_not_exist_is_refused(tables):
    assert _run("tables", "--data", tables, "--protocol", "no-shot").exit_code == 2
