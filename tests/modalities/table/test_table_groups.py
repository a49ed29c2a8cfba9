import numpy as np
import polars as pl

from agentad.modalities.table.groups import CellHashes


def hashed(frame):
    found = CellHashes(frame.columns)
    for start in range(0, len(frame), 100):
        found.add(frame[start : start + 100], ())
    return found


def test_rows_of_two_values_share_a_group_only_where_they_are_equal():
    cells = np.random.default_rng(0).integers(2, size=(3000, 40))
    cells[2500:] = cells[:500]
    groups = hashed(pl.DataFrame(cells, schema=[f"c{j}" for j in range(40)])).groups()
    assert len(np.unique(groups)) == 2500
    np.testing.assert_array_equal(groups[2500:], groups[:500])


def test_columns_of_two_values_are_copies_only_where_they_are_equal():
    cells = np.random.default_rng(1).random((300, 800)) < 0.02
    cells[:, 700] = cells[:, 5]
    names = [f"c{j}" for j in range(800)]
    different = len(np.unique(cells, axis=1).T)
    equal = hashed(pl.DataFrame(cells, schema=names)).equals()
    assert ["c5", "c700"] in [[name for name in names if name in ("c5", "c700")] for names in equal]
    assert 800 - sum(len(names) - 1 for names in equal) == different


def test_the_same_cells_in_other_columns_are_another_row():
    frame = pl.DataFrame({"a": [1, 2, 3], "b": [2, 1, 3]})
    assert hashed(frame).groups().tolist() == [0, 1, 2]
