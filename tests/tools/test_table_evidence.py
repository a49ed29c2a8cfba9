from types import SimpleNamespace

import numpy as np
import pytest

from agentad.detectors.denoising_reconstruction import DenoisingReconstruction
from agentad.detectors.diffusion_time import DiffusionTime
from agentad.detectors.empirical_denoiser import EmpiricalDenoiser
from agentad.detectors.isolation_forest import IsolationForest
from agentad.modalities.table import TableEncoder
from agentad.tools import tables


def explained(path, scorer, rows):
    """Evidence of `rows` of the `curve` table from a detector of its 240 normal rows."""
    data = tables.look(path)
    encoder = tables.fit_encoder(TableEncoder(), data, np.arange(240))
    (normal,) = tables.batches(encoder, data, np.arange(240))
    (batch,) = tables.batches(encoder, data, rows)
    fitted = SimpleNamespace(encoder=encoder, scorer=scorer.fit(normal.x))
    return tables.evidence(fitted, data, batch, fitted.scorer.score(batch.x))


def test_a_number_beside_the_interval_that_the_other_columns_suggest(curve):
    rows = np.arange(240, 252)
    found = explained(curve, EmpiricalDenoiser(), rows)
    lines = curve.read_text().splitlines()[1:]
    told = [(row, drivers[0]) for row, drivers in zip(rows, found, strict=True) if drivers[0].column == "y"]
    assert len(told) >= 11  # y was made wrong, though x could be blamed as well
    for row, driver in told:
        x, y = map(float, lines[row].split(",")[:2])
        assert float(driver.actual) == pytest.approx(y)
        assert float(driver.low) - 0.2 <= x**2 <= float(driver.high) + 0.2
        assert not float(driver.low) <= y <= float(driver.high)
    assert all(0 < d.share <= 1 for drivers in found for d in drivers)


def test_a_category_has_no_interval(curve):
    drivers = [d for row in explained(curve, EmpiricalDenoiser(), np.arange(20)) for d in row if d.column == "colour"]
    assert drivers
    assert {(d.low, d.high) for d in drivers} == {(None, None)}


def test_without_a_memory_the_denoised_row_is_expected(curve):
    found = explained(curve, DenoisingReconstruction(steps=20, width=8), np.arange(240, 252))
    assert all(row for row in found)
    assert {(d.low, d.high, d.partner) for row in found for d in row} == {(None, None, None)}


@pytest.mark.parametrize("scorer", [DiffusionTime(steps=5, width=8), IsolationForest(trees=5)])
def test_without_contributions_there_is_no_evidence(curve, scorer):
    assert explained(curve, scorer, np.arange(3)) == [()] * 3
