"""Parquet, npz, and folders of parts."""

import os
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from agentad.errors import UnreadableData
from agentad.modalities.table import open_table, recognise


def test_parquet_types(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    frame = pl.DataFrame(
        {
            "real": [1.5, None, float("nan"), 2.5],
            "day": pl.Series(["2024-01-01", "2024-01-02", None, "2024-01-04"]).str.to_date(),
            "zoned": pl.Series(["2024-01-01 12:00"] * 4).str.to_datetime().dt.replace_time_zone("Europe/Berlin"),
            "level": pl.Series(["a", "b", "a", " NA "], dtype=pl.Categorical),
            "money": pl.Series(["1.5", "2.5", "3.5", "4.5"]).cast(pl.Decimal(10, 2)),
            "took": pl.Series([1_500_000, 2, 3, 4]).cast(pl.Duration("us")),
            "list": [[1], [2], [3], [4]],
            "bytes": [b"a", b"b", b"c", b"d"],
        }
    )
    frame.write_parquet(path)
    data = open_table(path)
    assert data.profile.table is not None
    assert {c.name: (c.kind, c.missing) for c in data.profile.table.columns} == {
        "real": ("numeric", 0.5),
        "day": ("datetime", 0.25),
        "zoned": ("constant", 0),
        "level": ("categorical", 0.25),
        "money": ("numeric", 0),
        "took": ("numeric", 0),
    }
    assert data.profile.notes == (
        "Left out, not a column of single values: list, bytes.",
        "The same value in every row, so left out: zoned.",
    )
    assert data.profile.layout == "parquet"
    assert data.take(np.array([0]))["zoned"][0].isoformat() == "2024-01-01T11:00:00"
    assert data.take(np.array([0]))["took"][0] == 1.5


def test_npz(tmp_path: Path) -> None:
    path = tmp_path / "t.npz"
    X = np.random.default_rng(0).normal(size=(50, 3))
    y = np.arange(50) % 10 == 0
    np.savez(path, X=X, y=y.astype(int), extra=np.ones(3))
    data = open_table(path)
    assert data.profile.layout == "npz"
    assert data.columns == ("x0", "x1", "x2", "y")
    assert data.items.label.tolist() == y.astype(int).tolist()
    assert np.array_equal(pl.concat(data.chunks()).select("x0", "x1", "x2").to_numpy(), X)
    assert data.profile.notes[0] == "Only X and y were read of t.npz, not extra."


def test_npz_without_labels(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "t.npz", X=np.arange(12, dtype=np.int16).reshape(4, 3))
    assert open_table(tmp_path / "t.npz").profile.unlabelled == 4


def _part(path: Path, header: str, first: int, rows: int = 3) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(header + "\n" + "".join(f"{k},{k * 1.5}\n" for k in range(first, first + rows)))


def test_folder_with_train_and_test(tmp_path: Path) -> None:
    _part(tmp_path / "train.csv", "a,b", 0)
    (tmp_path / "my_test_set.csv").write_text("b,label,a\n10.5,0,7\n12,1,8\n")
    (tmp_path / "readme.txt").write_text("words")
    (tmp_path / ".hidden.csv").write_text("x")
    (tmp_path / "empty.csv").touch()
    data = open_table(tmp_path)
    assert data.columns == ("b", "label", "a")
    assert data.items.id.tolist() == [
        "my_test_set.csv:0",
        "my_test_set.csv:1",
        "train.csv:0",
        "train.csv:1",
        "train.csv:2",
    ]
    assert data.items.given.tolist() == ["test", "test", "train", "train", "train"]
    assert data.items.label.tolist() == [0, 1, -1, -1, -1]
    assert data.take(np.array([4, 0])).rows() == [("3.0", None, "2"), ("10.5", "0", "7")]
    assert [(s.path, s.reason) for s in data.profile.skipped] == [
        ("empty.csv", "empty file"),
        ("readme.txt", "not a table"),
    ]
    assert data.profile.n_skipped == 2


def test_folders_say_train_and_test_too(tmp_path: Path) -> None:
    _part(tmp_path / "training" / "x.csv", "a,b", 0)
    _part(tmp_path / "testing" / "x.csv", "a,b", 5)
    data = open_table(tmp_path)
    assert data.items.id[0] == "testing/x.csv:0"
    assert data.items.given.tolist() == ["test"] * 3 + ["train"] * 3


def test_parts_without_header(tmp_path: Path) -> None:
    for k in range(3):
        (tmp_path / f"part{k}.csv").write_text(f"{k},x\n{k + 1},y\n")
    assert open_table(tmp_path).profile.items == 6


def test_parts_with_other_columns(tmp_path: Path) -> None:
    _part(tmp_path / "a.csv", "a,b", 0)
    _part(tmp_path / "b.csv", "a,c", 0)
    with pytest.raises(UnreadableData) as error:
        open_table(tmp_path)
    assert str(error.value) == (
        f"{tmp_path}/a.csv does not have the columns of the other tables in {tmp_path} (missing: c). "
        "Point at one table, or give all parts the same columns."
    )


def test_several_npz_are_several_tables(tmp_path: Path) -> None:
    for name in "ab":
        np.savez(tmp_path / f"{name}.npz", X=np.eye(3))
    with pytest.raises(UnreadableData) as error:
        open_table(tmp_path)
    assert (
        str(error.value) == f"{tmp_path} holds tables that do not belong together (a.npz, b.npz). Point at one of them."
    )


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["a.csv"], True),
        (["A.CSV", "notes.md"], True),
        (["a.csv.gz"], True),
        (["a.parquet"], True),
        (["a.npz"], True),
        (["a.txt"], True),
        (["good/1.png", "labels.csv"], False),
        (["notes.md"], False),
        ([], False),
    ],
)
def test_recognise_folder(tmp_path: Path, names: list[str], expected: bool) -> None:
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("a,b\n1,2\n")
    assert recognise(tmp_path) is expected


def test_recognise_file(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")
    (tmp_path / "a.png").write_text("a,b\n1,2\n")
    os.mkfifo(tmp_path / "pipe.csv")
    assert recognise(tmp_path / "a.csv")
    assert not recognise(tmp_path / "a.png")
    assert not recognise(tmp_path / "pipe.csv")
    assert not recognise(tmp_path / "absent.csv")


def test_fingerprint_depends_on_names_and_contents_only(tmp_path: Path) -> None:
    _part(tmp_path / "one" / "a.csv", "a,b", 0)
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    _part(tmp_path / "three" / "a.csv", "a,b", 1)
    first, copy, other = (open_table(tmp_path / name).profile.fingerprint for name in ("one", "two", "three"))
    assert first == copy != other


def test_fingerprint_of_a_large_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from agentad.modalities.table import files

    monkeypatch.setattr(files, "HASHED_WHOLE", 100)
    monkeypatch.setattr(files, "_BLOCK", 16)
    path = tmp_path / "a.csv"
    _part(path, "a,b", 0, rows=100)
    data = open_table(path)
    assert "Files above 256 MiB are told apart by size, time of change, first and last mebibyte." in data.profile.notes
    os.utime(path, ns=(5, 5))
    assert open_table(path).profile.fingerprint != data.profile.fingerprint


@pytest.mark.parametrize("index", [[], [2], [2, 0, 2], [1, 1]])
def test_take(tmp_path: Path, index: list[int]) -> None:
    _part(tmp_path / "a.csv", "a,b", 0)
    taken = open_table(tmp_path / "a.csv").take(np.array(index, int))
    assert taken["a"].to_list() == [str(k) for k in index]


@pytest.mark.parametrize("index", [[3], [-1]])
def test_take_refuses_rows_that_are_not_there(tmp_path: Path, index: list[int]) -> None:
    _part(tmp_path / "a.csv", "a,b", 0)
    with pytest.raises(IndexError):
        open_table(tmp_path / "a.csv").take(np.array(index))
