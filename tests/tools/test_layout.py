"""Detectors that want it are told what the encoded columns are."""

import csv

import numpy as np
import pytest

from agentad.flow import Plan, Step
from agentad.tools import fitted, tables


@pytest.fixture
def orders(tmp_path):
    """A table whose column `size` follows from `amount`, in a file and in one with the columns in another order."""
    generator = np.random.default_rng(0)
    size = generator.integers(3, size=300)
    amount = 10 * size + generator.standard_normal(300)
    note = generator.standard_normal(300).round(3).astype(str)
    note[generator.random(300) < 0.2] = ""
    rows = [{"amount": f"{a:.3f}", "size": "SML"[k], "note": n} for a, k, n in zip(amount, size, note, strict=True)]
    paths = tmp_path / "orders.csv", tmp_path / "turned.csv"
    for path, names in zip(paths, (["amount", "size", "note"], ["note", "size", "amount"]), strict=True):
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, names)
            writer.writeheader()
            writer.writerows(rows)
    return paths


def fit(path, tool):
    """The detector that the road fits with few steps, and the scores of a table's rows by it."""
    plan = Plan(
        request="odd orders",
        modality="table",
        training="normal",
        encoder=Step(tool="table-encoder"),
        detector=Step(tool=tool, params={"width": 48, "steps": 300}),
    )
    data = tables.look(path)
    encoder, sample, x = fitted.encode_sample(plan, data, np.arange(300))
    return fitted.fit(plan, plan.detector, encoder, x, data.items.take(sample))


def scored(detector, path):
    """The one batch of a table's rows, and their scores."""
    (pair,) = detector.scored(tables.look(path), np.arange(300))
    return pair


def test_the_road_tells_the_layout_to_a_detector_that_uses_it(orders, tmp_path):
    detector = fit(orders[0], "masked-diffusion")
    assert detector.scorer.state().arrays["category"].tolist() == detector.encoder.layout.category.tolist()
    fitted.save(detector, tmp_path / "saved")
    scores = scored(detector, orders[0])[1].item
    np.testing.assert_array_equal(scored(fitted.load_base(tmp_path / "saved"), orders[0])[1].item, scores)


def test_a_detector_that_does_not_is_told_nothing(orders):
    assert "category" not in fit(orders[0], "score-norm").scorer.state().arrays


def test_columns_in_another_order_score_the_same(orders):
    detector = fit(orders[0], "masked-diffusion")
    first, turned = (scored(detector, path)[1] for path in orders)
    np.testing.assert_array_equal(first.item, turned.item)


def test_a_wrong_category_is_named_beside_the_one_expected(orders):
    detector = fit(orders[0], "masked-diffusion")
    text = orders[0].read_text().splitlines()
    cells = text[1].split(",")
    expected = cells[1]
    cells[1] = "M" if expected == "S" else "S"
    orders[0].write_text("\n".join([text[0], ",".join(cells), *text[2:]]) + "\n")
    batch, scores = scored(detector, orders[0])
    driver = next(d for d in detector.evidence(tables.look(orders[0]), batch, scores)[0] if d.column == "size")
    assert (driver.actual, driver.expected) == (cells[1], expected)
    assert scores.item[0] > np.quantile(scores.item, 0.99)
