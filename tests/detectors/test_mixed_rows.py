"""Rows apart, worked out by hand: a number with a flag, a category of three levels, a yes or no."""

import numpy as np

from agentad.detectors.mixed_rows import MixedRows
from agentad.modalities.table import Layout

#              number, its flag, three levels, yes or no, a number
SOURCE = np.array([0, 0, 1, 1, 1, 2, 3])
CATEGORY = np.array([-1, 0, 1, 1, 1, 2, -1])
FLAG = np.array([1, -1, -1, -1, -1, -1, -1])
MIXED = MixedRows(Layout(SOURCE, CATEGORY, FLAG))
X = np.array(
    [
        [5, 0, 0, 1, 0, 1, 2],
        [9, 1, 0, 0, 1, 0, 3],  # the number is missing, 9 was filled in
        [6, 0, 0, 0, 0, 7, 4],  # the category is missing, the yes or no is neither
    ],
    dtype=np.float32,
)
APART = np.array(
    [
        [5, 2, *(1, 0, 0), *(0, 1, 0), *(0, 1, 0)],
        [np.nan, 3, *(0, 1, 0), *(0, 0, 1), *(1, 0, 0)],
        [6, 4, *(1, 0, 0), *(0, 0, 0), *(0, 0, 1)],
    ]
)


def test_numbers_come_first_then_the_levels_of_each_category():
    np.testing.assert_array_equal(MIXED.apart(X), APART)
    assert MIXED.sizes.tolist() == [3, 3, 3]
    assert MIXED.source.tolist() == [0, 3, 0, 1, 2]


def test_what_is_missing():
    assert MIXED.there(MIXED.apart(X)).tolist() == [
        [True, True, True, True, True],
        [False, True, True, True, True],
        [True, True, True, False, True],
    ]


def test_together_again():
    again = MIXED.together(np.nan_to_num(MIXED.apart(X)))
    np.testing.assert_array_equal(again[0], X[0])
    np.testing.assert_array_equal(again[1], [0, *X[1, 1:]])


def test_probabilities_stay_probabilities():
    told = np.array([[5, 2, 0.9, 0.1, 0, 0.2, 0.3, 0.5, 0.3, 0.6, 0.1]])
    np.testing.assert_array_equal(MIXED.together(told), [[5, 0.1, 0.2, 0.3, 0.5, 0.6, 2]])


def test_a_contribution_is_with_the_level_that_the_row_has():
    parts = np.array([[1.0, 2.0, 3.0, 4.0, 5.0]] * 3)
    parts[1, 0] = parts[2, 3] = 0  # missing ones contribute nothing
    found = MIXED.by_column(parts, np.nan_to_num(MIXED.apart(X)))
    np.testing.assert_array_equal(found, [[1, 3, 0, 4, 0, 5, 2], [0, 3, 0, 0, 4, 5, 2], [1, 3, 0, 0, 0, 5, 2]])


def test_without_a_layout_all_columns_are_numbers():
    plain = MixedRows.of(None, 7)
    np.testing.assert_array_equal(plain.apart(X), X)
    np.testing.assert_array_equal(plain.together(X), X)
    np.testing.assert_array_equal(plain.by_column(X, X), X)
    assert plain.there(np.where(X == 9, np.nan, X)).sum() == 20


def test_very_many_truth_values_are_numbers(monkeypatch):
    monkeypatch.setattr("agentad.detectors.mixed_rows.MANY", 1)
    mixed = MixedRows.of(Layout(SOURCE, CATEGORY, FLAG), 7)
    assert mixed.layout.category.tolist() == [-1, -1, 0, 0, 0, -1, -1]
    np.testing.assert_array_equal(mixed.apart(X)[:, :4], [[5, 0, 1, 2], [np.nan, 1, 0, 3], [6, 0, 7, 4]])
    assert mixed.sizes.tolist() == [3]
