import numpy as np
import pytest

from agentad.detectors.empirical_denoiser import EmpiricalDenoiser
from agentad.detectors.inpainting import REFERENCES, RowMemory
from agentad.detectors.robust import scalings
from agentad.detectors.score_norm import ScoreNorm
from agentad.detectors.self_cleaning import SelfCleaning

UNITS = np.array([1, 10, 0.1, 5, 1, 100])
LOADINGS = np.array([[1, 0.6, 0, -0.8, 0.6, -1], [0, 0.8, 1, 0.6, -0.8, 0]])


def factors(n, seed):
    """Six columns in units of their own that two factors explain, up to a little noise."""
    generator = np.random.default_rng(seed)
    x = generator.standard_normal((n, 2)) @ LOADINGS + 0.15 * generator.standard_normal((n, 6))
    return (x * UNITS).astype(np.float32)


def planted(n, seed):
    """Rows of which one value is that of another row, at least 1.5 deviations away; and its column (n,)."""
    generator = np.random.default_rng(seed)
    x, others = factors(n, seed), factors(500, seed + 1)
    column = generator.integers(6, size=n)
    for row, c in zip(x, column, strict=True):
        far = others[np.abs(others[:, c] - row[c]) > 1.5 * UNITS[c], c]
        row[c] = generator.choice(far)
    return x, column


def memory(x):
    z = scalings(x)[0]
    return RowMemory.from_arrays({"rows": x, "centre": z.centre, "scale": z.scale})


def each(x):
    return np.arange(x.shape[1])


@pytest.mark.parametrize("kind", [EmpiricalDenoiser, SelfCleaning])
def test_the_planted_column_is_the_most_surprising(kind):
    x, column = planted(200, 1)
    found = RowMemory.of(kind().fit(factors(1500, 0))).inpaint(x, each(x))
    assert (found.surprise.argmax(axis=1) == column).mean() >= 0.95


def test_what_was_there_before_is_inside_the_interval():
    x, column = planted(200, 1)
    truth = factors(200, 1)
    found = memory(factors(1500, 0)).inpaint(x, each(x))
    at = np.arange(200), column
    assert ((found.low[at] <= truth[at]) & (truth[at] <= found.high[at])).mean() > 0.8
    assert ((found.low[at] <= x[at]) & (x[at] <= found.high[at])).mean() < 0.1
    off = np.abs(found.expected[at] - truth[at]) / UNITS[column]
    assert np.median(off) < 0.25


def test_intervals_hold_nine_in_ten_normal_values():
    x = factors(200, 3)
    found = memory(factors(1500, 0)).inpaint(x, each(x))
    assert ((found.low <= x) & (x <= found.high)).mean() == pytest.approx(0.9, abs=0.07)


def test_two_columns_that_are_odd_only_together_name_each_other():
    generator = np.random.default_rng(0)

    def rows(n, sign):
        a = generator.choice([-1, 1], (n, 1)) * generator.uniform(0.5, 2, (n, 1))
        return np.concatenate([a, sign * a + 0.1 * generator.standard_normal((n, 1)), generator.normal(size=(n, 2))], 1)

    found = memory(rows(1000, 1).astype(np.float32)).inpaint(rows(100, -1).astype(np.float32), np.arange(4))
    pair = np.stack([found.surprise.argmax(axis=1), found.partner], axis=1)
    assert (np.sort(pair, axis=1) == [0, 1]).all(axis=1).mean() >= 0.95


def test_a_value_that_is_odd_anywhere_has_no_partner():
    x = factors(20, 4)
    x[:, 0] = 9
    assert (memory(factors(1000, 0)).inpaint(x, each(x)).partner == -1).all()


def test_encoded_columns_of_one_source_are_taken_out_together():
    generator = np.random.default_rng(0)
    kind = generator.integers(3, size=1000)
    x = np.concatenate([np.eye(3)[kind], (kind * 5 + generator.normal(size=1000))[:, None]], axis=1).astype(np.float32)
    odd = np.array([[1, 0, 0, 10]], dtype=np.float32)
    found = memory(x).inpaint(odd, np.array([0, 0, 0, 1]))
    assert found.surprise.shape == (1, 2)
    np.testing.assert_allclose(found.expected[0, :3], [0, 0, 1], atol=0.01)
    assert found.expected[0, 3] == pytest.approx(0, abs=1)


def test_only_what_is_wanted_is_put_back():
    x = factors(5, 5)
    wanted = np.zeros((5, 6), dtype=bool)
    wanted[:, 2] = True
    one = memory(factors(300, 0)).inpaint(x, each(x), wanted=wanted)
    every = memory(factors(300, 0)).inpaint(x, each(x))
    assert (np.isnan(one.expected) == ~wanted).all()
    np.testing.assert_array_equal(one.surprise[:, 2], every.surprise[:, 2])


def test_memory_is_bounded_and_some_detectors_have_none():
    assert len(RowMemory.of(EmpiricalDenoiser().fit(factors(REFERENCES + 500, 0))).rows) == REFERENCES
    assert RowMemory.of(ScoreNorm(steps=1, width=8).fit(factors(20, 0))) is None


@pytest.mark.parametrize("x", [np.ones((4, 1)), np.full((50, 3), 7.0), np.eye(3), np.arange(8.0).reshape(4, 2)])
def test_awkward_data_give_finite_answers(x):
    x = x.astype(np.float32)
    for rows in (x, np.full_like(x[:1], 3e38)):
        found = memory(x).inpaint(rows, each(x))
        assert all(np.isfinite(part).all() for part in (found.expected, found.low, found.high, found.surprise))
    assert memory(x).inpaint(x[:0], each(x)).expected.shape == (0, x.shape[1])
