"""Every example in the README runs, in order, in one folder, as a newcomer would run it."""

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from agentad import demo
from agentad.cli.app import app

README = Path(__file__).parents[1] / "README.md"
BLOCK = re.compile(r"(?P<skip><!-- not run:[^\n]*-->\n)?```(?P<kind>bash|python)\n(?P<code>.*?)```", re.S)


def _examples() -> list[tuple[str, str]]:
    """(kind, code): each shell command by itself, each Python block whole."""
    found = []
    for block in BLOCK.finditer(README.read_text(encoding="utf-8")):
        if block["skip"]:
            continue
        if block["kind"] == "python":
            found.append(("python", block["code"]))
        else:
            found += [("bash", line) for line in block["code"].strip().splitlines()]
    return found


@pytest.mark.slow
def test_every_example_runs(tmp_path, monkeypatch, no_weights, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AGENTAD_RUNS")
    data = tmp_path / "agentad-runs" / "demo-data" / demo.VERSION
    demo.make_table(data / "cells")
    demo.make_surfaces(data / "surfaces")
    examples = _examples()
    assert len(examples) >= 10
    for kind, code in examples:
        if kind == "python":
            exec(compile(code, "README.md", "exec"), {})
            assert "flagged; threshold" in capsys.readouterr().out
            continue
        words = shlex.split(code, comments=True)
        if words[0] == "pip":  # the README's installation line; continuous integration itself starts with it
            assert code == "pip install -c constraints.txt . && agentad demo"
            continue
        assert words[0] == "agentad", code
        if words[1] == "bench":
            continue  # takes minutes and data that is not ours to ship; tests/bench runs it on small data
        result = CliRunner().invoke(app, words[1:])
        assert result.exit_code == 0, f"{code}\n{result.output}\n{result.exception!r}"
        assert result.stdout.strip()
