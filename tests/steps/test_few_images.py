import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import agentad

pytestmark = pytest.mark.usefixtures("no_weights")


def keep(root, count):
    """Leave `count` normal images to learn from."""
    for path in sorted((root / "train" / "good").iterdir())[count:]:
        path.unlink()
    return root


def lines(report):
    text = (Path(report.dir) / "scores.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def test_one_image_is_enough_and_the_threshold_is_called_a_guess(spots):
    report = agentad.run("find the bad parts", data=keep(spots, 1))
    assert (report.plan.detector.tool, report.plan.baselines) == ("few-shot-bank", ())
    assert any("can only be a guess" in said for said in report.plan.assumptions)
    assert any("the threshold is a guess" in said for said in report.notes)
    threshold = report.threshold
    assert threshold.n_calibration == 1
    np.testing.assert_allclose((threshold.far_low, threshold.far_high), (0.025, 0.975))
    assert threshold.warning.startswith("1 normal items cannot support a false-alarm rate of 1.00%")
    assert report.metrics["few-shot-bank"].auroc == 1.0
    again = agentad.detect(report.detector, data=spots / "test")
    assert again.items == 8


def test_two_images_judge_each_other_and_the_same_run_gives_the_same_scores(spots, tmp_path):
    two = keep(spots, 2)
    report = agentad.run("find the bad parts", data=two)
    assert [step.tool for step in report.plan.baselines] == ["memory-bank"]
    assert (report.threshold.n_calibration, report.profile.given_normal) == (2, 2)
    assert report.threshold.far_high > 0.8
    assert report.notes[-1].startswith("Learned from 2 normal images and altered copies of them: weaker")
    copied = tmp_path / "copied" / "spots"
    shutil.copytree(two, copied)
    other = agentad.run("find the bad parts", data=copied)
    assert [line["score"] for line in lines(other)] == [line["score"] for line in lines(report)]
