"""Histograms whose bars are known by construction."""

import numpy as np
import pytest

from agentad.report.chart import BINS, Axis, Chart, Group, chart


def one(scores: list[float] | np.ndarray, threshold: float) -> Chart:
    return chart([Group("rows", "scored", np.asarray(scores, float))], threshold)


def counted(c: Chart) -> int:
    return sum(int(bar.title.rsplit(": ", 1)[1].replace(",", "")) for bar in c.bands[0].bars)


def test_every_score_is_in_exactly_one_bar() -> None:
    scores = np.random.default_rng(0).normal(size=5000)
    assert counted(one(scores, 2.0)) == 5000


def test_a_band_says_how_many_are_above_the_threshold() -> None:
    band = one([1, 2, 3, 4], 2.5).bands[0]
    assert (band.n, band.above, band.median) == (4, 2, 2.5)


def test_the_threshold_divides_the_bars() -> None:
    c = one([0.0] * 10 + [1.0] * 5, 0.5)
    left, right = c.bands[0].bars
    assert left.x < c.threshold < right.x
    assert (left.height, right.height) == (1.0, 0.5)


def test_a_threshold_beyond_all_scores_is_on_the_axis() -> None:
    assert 90 < one([1.0, 2.0, 3.0], 30.0).threshold < 100


def test_empty_groups_are_left_out() -> None:
    c = chart([Group("a", "held", np.zeros(0)), Group("b", "scored", np.ones(3))], 2.0)
    assert [band.name for band in c.bands] == ["b"]


def test_equal_scores_and_no_scores_still_draw() -> None:
    assert counted(one([7.0] * 4, 7.0)) == 4
    assert chart([], 1.0).bands == ()


def test_a_heavy_positive_tail_gets_a_logarithmic_axis() -> None:
    scores = np.concatenate([np.linspace(1, 2, 1000), [5000.0]])
    c = one(scores, 3.0)
    assert c.notes[0] == "The scale is logarithmic."
    assert counted(c) == 1001
    assert [name for _, name in c.ticks] == ["1", "10", "100", "1,000"]


def test_a_heavy_tail_around_zero_is_clipped_and_says_so() -> None:
    scores = np.concatenate([np.linspace(-1, 1, 1000), [5000.0]])
    c = one(scores, 1.5)
    assert len(c.notes) == 1
    assert c.notes[0].startswith("The last bar holds 1 score above ")
    assert c.notes[0].endswith("(up to 5,000).")
    assert counted(c) == 1001
    assert c.threshold < 60


def test_ordinary_scores_need_no_note() -> None:
    assert one(np.linspace(0, 1, 100), 0.9).notes == ()


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e9])
def test_ticks_are_few_ordered_and_on_the_axis(scale: float) -> None:
    places = [x for x, _ in one(np.linspace(0, scale, 100), 0.9 * scale).ticks]
    assert 3 <= len(places) <= 8
    assert places == sorted(places)
    assert all(0 <= x <= 100 for x in places)


@pytest.mark.parametrize("axis", [Axis(-2.0, 6.0), Axis(0.01, 1000.0, log=True)])
def test_score_is_the_inverse_of_place(axis: Axis) -> None:
    positions = np.linspace(0, 1, BINS)
    assert np.allclose(axis.place(np.array([axis.score(p) for p in positions])), positions)
