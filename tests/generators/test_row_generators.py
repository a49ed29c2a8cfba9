"""Where each generator puts its rows, on data whose geometry is known."""

import numpy as np
import pytest

from agentad.errors import InputError
from agentad.generators.base import Space
from agentad.generators.controls import GaussianRows, SmoteRows, UniformRows
from agentad.generators.memorised import RealRows
from agentad.generators.neighbour import NeighbourRows
from agentad.generators.transplanted import TransplantedRows


@pytest.fixture(scope="module")
def line():
    """Normals along y = 10 x with a third column of noise; two anomalies off the line by (0, 20, 0) and (0, 30, 0)."""
    rng = np.random.default_rng(0)
    x = rng.uniform(-2, 2, 500)
    normal = np.stack([x, 10 * x + 0.1 * rng.normal(size=500), rng.normal(size=500)], axis=1).astype(np.float32)
    return normal, np.array([[1, 30, 0.5], [-1, 20, -0.5]], np.float32)


def test_uniform_fills_the_widened_range(line):
    rows = UniformRows(margin=0.1).fit(*line).sample(2000, seed=0).rows
    real = np.concatenate(line)
    room = 0.1 * (real.max(axis=0) - real.min(axis=0))
    assert (rows >= real.min(axis=0) - room - 1e-4).all() and (rows <= real.max(axis=0) + room + 1e-4).all()
    assert (rows.max(axis=0) > real.max(axis=0)).all()


def test_gaussian_jitters_each_parent_by_the_normals_deviation(line):
    normal, odd = line
    drawn = GaussianRows(deviation=0.5).fit(normal, odd).sample(4000, seed=0)
    spread = (drawn.rows - odd[drawn.anomaly]).std(axis=0)
    assert np.allclose(spread, 0.5 * normal.std(axis=0), rtol=0.1)
    assert np.bincount(drawn.anomaly).tolist() == [2000, 2000]


def test_smote_stays_between_the_anomalies(line):
    normal, odd = line
    rows = SmoteRows().fit(normal, odd).sample(100, seed=0).rows
    t = (rows[:, 0] - odd[1, 0]) / (odd[0, 0] - odd[1, 0])
    assert np.allclose(rows, odd[1] + t[:, None] * (odd[0] - odd[1]), atol=1e-3)
    assert t.min() >= 0 and t.max() <= 1 and t.std() > 0.2


def test_smote_with_one_anomaly_jitters(line):
    normal, odd = line
    rows = SmoteRows(deviation=0.05).fit(normal, odd[:1]).sample(500, seed=0).rows
    assert np.allclose(rows.mean(axis=0), odd[0], atol=0.1) and (rows.std(axis=0) > 0).all()


def test_neighbour_gives_the_deviation_to_normal_rows(line):
    normal, odd = line
    drawn = NeighbourRows(low=1, high=1, near=30).fit(normal, odd[:1]).sample(300, seed=0)
    moved = drawn.rows - normal[drawn.normal]
    assert np.allclose(moved, moved[0], atol=1e-3)  # one anomaly, one deviation
    off_line = np.abs(drawn.rows[:, 1] - 10 * drawn.rows[:, 0])
    assert np.median(off_line) > 8
    assert len(np.unique(drawn.normal)) > 20 and set(drawn.anomaly) == {0}


def test_neighbour_strength_scales_the_deviation(line):
    normal, odd = line
    half, full = (NeighbourRows(low=s, high=s).fit(normal, odd[:1]).sample(50, seed=0) for s in (0.5, 1.0))
    assert np.allclose(2 * (half.rows - normal[half.normal]), full.rows - normal[full.normal], atol=1e-3)


@pytest.fixture(scope="module")
def spike():
    """Six independent normal columns; an anomaly that is ordinary but for column 2, at 12 deviations."""
    rng = np.random.default_rng(0)
    odd = rng.normal(size=(1, 6)).astype(np.float32)
    odd[0, 2] = 12
    return rng.normal(size=(800, 6)).astype(np.float32), odd


def test_transplanted_rows_keep_the_fault_and_vary_the_rest(spike):
    normal, odd = spike
    drawn = TransplantedRows(low=0.01, high=0.01).fit(normal, odd).sample(400, seed=0)
    assert np.allclose(drawn.rows[:, 2], 12, atol=0.2)
    grafted = drawn.normal >= 0
    assert np.mean(grafted) == pytest.approx(0.5, abs=0.01)
    rest = [0, 1, 3, 4, 5]
    own = np.isclose(drawn.rows[grafted][:, rest], normal[drawn.normal[grafted]][:, rest], atol=0.1)
    anomalys = np.isclose(drawn.rows[grafted][:, rest], odd[0, rest], atol=0.1)
    assert (own | anomalys).all() and 0.3 < np.mean(own & ~anomalys) < 0.7
    assert np.allclose(drawn.rows[~grafted], odd[0], atol=0.1)


def test_no_fault_is_transplanted_from_an_anomaly_that_looks_normal(spike):
    normal, odd = spike
    plain = np.zeros((1, 6), np.float32)
    drawn = TransplantedRows(low=0.01, high=0.01).fit(normal, np.concatenate([odd, plain])).sample(100, seed=0)
    assert set(drawn.normal[drawn.anomaly == 1]) == {-1}
    assert (drawn.normal[drawn.anomaly == 0] >= 0).any()


def test_transplanted_rows_lie_between_anomalies_at_many_scales(line):
    normal, odd = line
    drawn = TransplantedRows().fit(normal, odd).sample(2000, seed=0)
    away = (drawn.rows - odd[drawn.anomaly])[drawn.normal < 0] / normal.std(axis=0)
    noise = np.abs(away[:, 2])  # the anomalies hardly differ there
    assert np.quantile(noise, 0.1) < 0.1 and np.quantile(noise, 0.95) > 0.8


def test_transplanted_rows_are_as_rare_as_they_should(spike):
    normal, odd = spike
    generator = TransplantedRows(high=3.0).fit(normal, np.concatenate([odd, normal[:1]]))
    drawn = generator.sample(500, seed=0)
    scores = generator._models.score(drawn.rows).item
    usual = np.quantile(generator._models.held_out.item, 0.95)
    assert np.mean(scores[drawn.anomaly == 0] >= 0.999 * usual) > 0.99


def test_deviations_that_are_no_range_are_refused(line):
    with pytest.raises(InputError) as caught:
        TransplantedRows(low=2, high=1).fit(*line)
    assert str(caught.value) == "low 2, high 1: give deviations above 0, the lower one first"


def test_without_anomalies_rows_leave_the_normals(line):
    normal, _ = line
    drawn = NeighbourRows().fit(normal, normal[:0]).sample(300, seed=0)
    ratio, _ = RealRows(normal, normal[:0]).nearest(drawn.rows)
    assert np.median(ratio) > 1.5 and set(drawn.anomaly) == {-1}


def test_far_values_survive_the_space():
    normal = np.random.default_rng(0).normal(size=(200, 3)).astype(np.float32)
    space = Space.of(normal)
    far = np.array([[0.5, -1e4, 1e6], [3, 0, -5]], np.float32)
    inside = space.enter(far)
    assert np.abs(inside).max() < 20
    assert np.allclose(space.leave(inside), far, rtol=1e-3, atol=1e-4)


def test_a_copy_has_ratio_zero_and_names_its_original(line):
    normal, odd = line
    ratio, nearest = RealRows(normal, odd).nearest(np.stack([normal[7], odd[1], odd[1] + [0, 0, 5]]))
    assert nearest.tolist()[:2] == [7, 501]
    assert ratio[:2].tolist() == [0, 0] and ratio[2] > 5
