import re
from base64 import b64decode
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import agentad
from agentad.flow import Step
from agentad.modalities.image import open_images
from agentad.tools.adapter import load

pytestmark = pytest.mark.usefixtures("no_weights")


def test_a_detector_of_pixels_runs_beside_a_baseline_of_features(spots):
    plan = agentad.plan("find the bad parts", data=spots)
    settings = {"features": "none", "steps": 2, "width": 16, "fold": 4}
    encoder = Step(tool="pixels", params={"size": 32})
    wanted = plan.model_copy(update={"detector": Step(tool="reconstruction", params=settings, encoder=encoder)})
    report = agentad.run_plan(wanted, data=spots)
    assert report.plan.detector.encoder == encoder
    assert report.plan.encoder.tool == "patch-filters"
    assert report.metrics["memory-bank"].auroc == 1.0  # on features, as ever
    assert 0 <= report.metrics["reconstruction"].auroc <= 1
    assert agentad.detect(report.detector, data=spots).items == 24
    _shows_what_the_detector_reconstructs(report, spots)


def _shows_what_the_detector_reconstructs(report, spots):
    page = Path(report.report).read_text("utf-8")
    found = re.findall(r'src="data:image/jpeg;base64,([^"]+)" alt="(\S+) as the detector would have it normal"', page)
    assert len(found) == page.count(", original")
    data, fitted = open_images(spots), load(Path(report.detector))
    for encoded, name in found[:2]:
        (i,) = np.flatnonzero(data.items.id == name)
        (batch,) = fitted.road.batches(fitted.encoder, data, np.array([i]))
        expected = np.asarray(fitted.scorer.reconstruct(batch.x), float)[0]
        shown = np.asarray(Image.open(BytesIO(b64decode(encoded))), float) / 255
        assert np.abs(shown - expected).mean() < 0.03  # JPEG
