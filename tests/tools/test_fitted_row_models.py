"""Detectors that name no columns, along the whole road: fitted, saved, loaded and reported."""

import json
from pathlib import Path

import numpy as np
import pytest

import agentad
from agentad.detectors import pyod_model
from agentad.errors import MissingExtra

TOOLS = ["gaussian-mixture", "isolation-forest", "local-outlier-factor", "pyod"]


def found(tool, data, tmp_path):
    """The report of a run by a recipe that names `tool`."""
    if tool == "pyod":
        pytest.importorskip("pyod", reason="PyOD is not installed")
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(f"modality: table\ndetector:\n  tool: {tool}\n", encoding="utf-8")
    return agentad.run_plan(recipe, data=data)


@pytest.mark.parametrize("tool", TOOLS)
def test_from_a_recipe_to_a_page_without_evidence(tool, curve, tmp_path):
    report = found(tool, curve, tmp_path)
    assert report.plan.detector.tool == tool
    assert report.metrics[tool].auroc > 0.5  # they are weak where the columns only together are odd
    lines = [json.loads(line) for line in (Path(report.dir) / "scores.jsonl").read_text().splitlines()]
    assert {len(line["evidence"]) for line in lines} == {0}
    assert Path(report.report).stat().st_size > 5000
    again = agentad.load(report.run).score(curve)
    assert len(again) == len(lines)
    assert np.isfinite([item.score for item in again]).all()


def test_a_detector_that_needs_pyod_says_so_where_it_is_missing(curve, tmp_path, monkeypatch):
    report = found("pyod", curve, tmp_path)

    def gone(name):
        raise ModuleNotFoundError("No module named 'pyod'")

    monkeypatch.setattr(pyod_model, "find_spec", gone)
    pyod_model.models.cache_clear()
    with pytest.raises(MissingExtra) as caught:
        agentad.load(report.run)
    assert str(caught.value) == "pyod: PyOD is not installed; install it with `pip install 'agentad[pyod]'`"
