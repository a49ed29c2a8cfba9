from types import SimpleNamespace

import numpy as np
import polars as pl
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


def test_a_value_that_pulls_the_others_towards_it_is_the_one_to_blame(tmp_path):
    rng = np.random.default_rng(0)
    export = np.arange(800) % 20 == 0
    frame = pl.DataFrame(
        {
            "customs": [f"C{rng.integers(4)}" if e else None for e in export],
            "currency": np.where(export, "USD", "EUR"),
            "market": np.where(export, "abroad", "home"),
            "amount": np.where(export, 400, 100) * np.exp(rng.normal(0, 0.2, 800)),
        }
    )
    frame[1, "customs"] = "C1"  # papers for a parcel that stays at home
    frame.write_csv(tmp_path / "t.csv")
    data = tables.look(tmp_path / "t.csv")
    normal = np.delete(np.arange(800), 1)
    encoder = tables.fit_encoder(TableEncoder(), data, normal)
    (train,) = tables.batches(encoder, data, normal)
    (odd,) = tables.batches(encoder, data, np.array([1]))
    fitted = SimpleNamespace(encoder=encoder, scorer=EmpiricalDenoiser().fit(train.x))
    (found,) = tables.evidence(fitted, data, odd, fitted.scorer.score(odd.x))
    assert (found[0].column, found[0].actual, found[0].expected) == ("customs", "C1", "missing")
