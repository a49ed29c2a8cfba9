"""Rounds on small images: what is invented comes with masks, and a generator without ideas costs its round."""

import json

import numpy as np
import pytest
from PIL import Image

import agentad
from agentad.generators.images.paste import ResidualPaste
from agentad.store.runs import find_run

pytestmark = pytest.mark.usefixtures("no_weights")


def _run(data, tmp_path, monkeypatch, **settings):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rounds.yaml").write_text("loop: {rounds: 2, count: 6, folds: 2}\ndetector: {tool: memory-bank}\n")
    return agentad.run_plan("rounds.yaml", data=data, settings={"loop.head.params.steps": "20", **settings})


def test_invented_images_change_inside_their_masks_alone(spots, tmp_path, monkeypatch):
    report = _run(spots, tmp_path, monkeypatch)
    assert [one.generator for one in report.rounds] == [None, "residual-paste"]
    made = find_run(report.run).path / "round-2-made-0"
    lines = [json.loads(line) for line in (made / "manifest.jsonl").read_text().splitlines()]
    assert lines and report.rounds[1].made in range(1, 7)
    for line in lines:
        image, normal = (
            np.asarray(Image.open(path)) for path in (made / f"images/{line['id']}.png", spots / line["normal"])
        )
        mask = np.asarray(Image.open(made / f"masks/{line['id']}.png")) > 0
        changed = (image != (normal if normal.ndim == 3 else normal[..., None])).any(axis=2)
        assert mask.any() and not changed[~mask].any()
        assert line["anomaly"].startswith("test/spot/") and line["normal"].startswith("train/good/")


def test_a_generator_that_finds_no_place_costs_its_round(spots, tmp_path, monkeypatch):
    monkeypatch.setattr(ResidualPaste, "sample", lambda self, briefs, normal, *, seed=0: [None] * len(briefs))
    report = _run(spots, tmp_path, monkeypatch)
    assert not report.rounds[1].decision.adopted
    assert report.rounds[1].decision.why.startswith("The round failed: no invented item passed")
