"""What is said of regions: where they are, how unusual, and how sure that is."""

from dataclasses import replace

import numpy as np
import pytest

from agentad.detectors.base import Scores
from agentad.detectors.memory_bank import MemoryBank
from agentad.flow import Plan, Step
from agentad.modalities.image.maps import peaks
from agentad.store.arrays import load_state, save_state
from agentad.tools import fitted as tool
from agentad.tools import images
from agentad.tools.adapter import load
from agentad.tools.road import Batch


@pytest.fixture
def road(spots):
    """The fitted detector, the data, and a batch of its anomalous images."""
    data = images.look(spots)
    plan = Plan(
        request="find the bad ones",
        modality="image",
        training="normal",
        encoder=Step(tool="patch-filters", params={"size": 56, "patch": 7}, why=""),
        detector=Step(tool="memory-bank", params={"size": 500}, why=""),
        baselines=(),
    )
    train = np.flatnonzero([str(name).startswith("train") for name in data.items.id])
    encoder, sample, x = tool.encode_sample(plan, data, train)
    fitted = tool.fit(plan, plan.detector, encoder, x, data.items.take(sample))
    bad = np.flatnonzero(data.items.label == 1)
    (batch,) = images.batches(encoder, data, bad)
    return fitted, data, batch


def test_a_region_lies_on_the_defect_and_is_unusual(road):
    fitted, data, batch = road
    found = images.evidence(fitted, data, batch, fitted.scorer.score(batch.x))
    for i, said in zip(batch.index, found, strict=True):
        first = said[0]
        x, y = first.peak_at
        rows, columns = np.nonzero(data.mask(int(i)))
        assert columns.min() - 7 <= x <= columns.max() + 7
        assert rows.min() - 7 <= y <= rows.max() + 7
        assert first.p_value == pytest.approx(1 / 17)  # above all of 16
        assert first.doubt is None
        corners = np.array(first.polygon)
        left, top, right, bottom = first.box
        assert (corners.min(axis=0) >= (left, top)).all()
        assert (corners.max(axis=0) <= (right, bottom)).all()


def test_the_p_value_counts_the_images_whose_highest_score_is_as_high(road):
    fitted, _, _ = road
    own = np.sort(peaks(fitted.scorer.held_out.local))
    assert np.array_equal(fitted.peaks, own)
    for k in (0, 5, 15):
        assert fitted.region_p_value(float(own[k])) == pytest.approx((1 + 16 - k) / 17)
    assert fitted.region_p_value(float(own[-1]) + 1) == pytest.approx(1 / 17)


def test_p_values_survive_the_folder_and_are_left_out_without_what_they_need(road, tmp_path):
    fitted, data, batch = road
    tool.save(fitted, tmp_path / "detector")
    again = load(tmp_path / "detector")
    assert np.array_equal(again.peaks, fitted.peaks)
    arrays, settings = load_state(tmp_path / "detector" / "calibration")
    save_state(tmp_path / "detector" / "calibration", {"scores": arrays["scores"]}, settings)
    tool.write_manifest(fitted, tmp_path / "detector")
    old = load(tmp_path / "detector")
    assert old.peaks is None
    found = images.evidence(old, data, batch, old.scorer.score(batch.x))
    assert {region.p_value for said in found for region in said} == {None}


def test_doubt_is_told_at_the_peak(road):
    fitted, data, batch = road
    scores = fitted.scorer.score(batch.x)
    doubt = np.zeros_like(scores.local)
    rows, columns = doubt.shape[1:]
    for k, said in enumerate(images.evidence(fitted, data, batch, scores)):
        x, y = said[0].peak_at
        doubt[k, y * rows // 64, x * columns // 64] = 0.25 + k / 8
    found = images.evidence(fitted, data, batch, replace(scores, doubt=doubt))
    assert [said[0].doubt for said in found] == [0.25, 0.375, 0.5, 0.625]


def test_scores_are_taken_with_their_doubt():
    scores = Scores(np.arange(3.0), np.zeros((3, 2, 2)), doubt=np.arange(12.0).reshape(3, 2, 2))
    assert scores.take(np.array([2])).doubt.tolist() == [[[8, 9], [10, 11]]]
    assert scores.take(np.array([2])).expected is None


def test_a_detector_whose_doubt_does_not_fit_is_refused(road, tmp_path, monkeypatch):
    fitted, _, _ = road
    tool.save(fitted, tmp_path / "detector")
    score = MemoryBank.score
    monkeypatch.setattr(MemoryBank, "score", lambda self, x: replace(score(self, x), doubt=np.zeros((1, 2))))
    with pytest.raises(tool.DetectorRefused, match="does not fit its encoder"):
        load(tmp_path / "detector")


def test_an_empty_batch_of_maps_has_no_regions(road):
    fitted, data, batch = road
    scores = fitted.scorer.score(batch.x)
    flat = Batch(batch.index, batch.raw, batch.x)
    quiet = Scores(np.zeros(len(batch.index)), np.zeros_like(scores.local))
    assert images.evidence(fitted, data, flat, quiet) == [()] * len(batch.index)
