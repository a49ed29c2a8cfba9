from pathlib import Path

import numpy as np
import polars as pl
import pytest

from agentad.modalities.table import open_table
from agentad.modalities.table.ids import RowIds

EAGER = np.array(["a/x.csv:0", "a/x.csv:1", "y.csv:0", "y.csv:1", "y.csv:2"], dtype=object)


@pytest.fixture
def ids():
    return RowIds(["a/x.csv:", "empty.csv:", "y.csv:"], [2, 0, 3])


def test_as_the_array_they_stand_for(ids):
    assert len(ids) == 5
    assert ids.tolist() == list(ids) == EAGER.tolist()
    assert [ids[i] for i in range(-5, 5)] == [EAGER[i] for i in range(-5, 5)]
    assert ids[np.int64(2)] == "y.csv:0"


@pytest.mark.parametrize(
    "index",
    [np.array([4, 0, 2, 2]), np.array([], int), EAGER == "y.csv:1", slice(1, 4), [3, -1]],
    ids=["places", "none", "mask", "slice", "list"],
)
def test_many_at_once(ids, index):
    np.testing.assert_array_equal(ids[index], EAGER[index])
    assert ids[index].dtype == object


@pytest.mark.parametrize("index", [5, -6, np.array([0, 5])])
def test_no_such_row(ids, index):
    with pytest.raises(IndexError):
        ids[index]


def test_items_of_a_single_file(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b\n" + "".join(f"{k},{k * 1.5}\n" for k in range(30)))
    items = open_table(tmp_path / "t.csv").items
    assert items.id.tolist() == [str(k) for k in range(30)]
    assert items.kind.tolist() == items.given.tolist() == [""] * 30
    part = items.take(np.arange(30) % 10 == 3)
    assert part.id.tolist() == ["3", "13", "23"]
    assert (len(part), part.kind.tolist(), part.given.tolist()) == (3, [""] * 3, [""] * 3)


def test_rows_that_were_taken_are_not_read_again(tmp_path, monkeypatch):
    frame = pl.DataFrame({"a": np.arange(50.0), "b": np.arange(50.0) ** 2})
    frame.write_parquet(tmp_path / "t.parquet")
    data = open_table(tmp_path / "t.parquet")
    assert data.remembered(np.array([3])) is None
    places = np.array([40, 3, 3, 7])
    assert data.take(places).equals(frame[places])
    monkeypatch.setattr(data, "chunks", lambda: pytest.fail("read again"))
    assert data.take(places[::-1]).equals(frame[places[::-1]])
    again = data.remembered(np.array([7, 40]))
    assert again is not None
    assert again.equals(frame[[7, 40]])
    assert data.remembered(np.array([7, 8])) is None
    assert data.remembered(np.array([], int)) is None


def test_many_rows_are_not_kept(tmp_path, monkeypatch):
    pl.DataFrame({"a": np.arange(50.0)}).write_parquet(tmp_path / "t.parquet")
    data = open_table(tmp_path / "t.parquet")
    monkeypatch.setattr("agentad.modalities.table.data.REMEMBERED", 10 * 8)
    data.take(np.arange(11))
    assert data.remembered(np.arange(2)) is None
    data.take(np.arange(10))
    assert data.remembered(np.arange(2)) is not None
