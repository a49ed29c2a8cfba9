import numpy as np
import pytest

from agentad.detectors.folds import group_folds
from agentad.errors import InputError


def test_groups_stay_together_and_folds_are_even():
    groups = np.repeat(np.arange(20), 3)
    fold = group_folds(groups, 4, seed=0)
    assert all(len(set(fold[groups == group])) == 1 for group in range(20))
    assert np.bincount(fold).tolist() == [15, 15, 15, 15]


def test_no_more_folds_than_groups():
    assert sorted(group_folds(np.array([7, 7, 3]), 5, seed=0).tolist()) == [0, 0, 1]


def test_one_group_cannot_be_cross_fitted():
    with pytest.raises(InputError) as error:
        group_folds(np.zeros(4), 3, seed=0)
    assert str(error.value) == "cross-fitting needs items of at least 2 groups, got 4 items of 1. Add normal items."


def test_each_category_is_dealt_to_all_folds():
    groups, categories = np.arange(40), np.repeat([0, 1, 2], [30, 8, 2])
    fold = group_folds(groups, 2, 0, categories)
    for category, half in enumerate((15, 4, 1)):
        assert np.bincount(fold[categories == category]).tolist() == [half, half]
    assert np.array_equal(group_folds(groups, 3, 5), group_folds(groups, 3, 5, np.zeros(40, int)))
