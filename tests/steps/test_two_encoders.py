import pytest

import agentad
from agentad.flow import Step

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
