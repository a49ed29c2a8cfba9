"""Dialects: how text tables are written."""

import gzip
from pathlib import Path

import pytest

from agentad.modalities.table import TableData, open_table


def table(path: Path, content: str | bytes, name: str = "t.csv") -> TableData:
    file = path / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return open_table(file)


def rows(data: TableData) -> list[tuple[object, ...]]:
    return [row for frame in data.chunks() for row in frame.rows()]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", " "])
def test_delimiters(tmp_path: Path, delimiter: str) -> None:
    data = table(tmp_path, "a,b,c\n1.5,x,3\n2.5,y,4\n3.5,z,5\n".replace(",", delimiter))
    assert data.columns == ("a", "b", "c")
    assert rows(data)[0] == ("1.5", "x", "3")
    assert data.profile.table is not None and data.profile.table.delimiter == delimiter


def test_semicolons_with_decimal_commas_and_no_header(tmp_path: Path) -> None:
    data = table(tmp_path, "1,5;2,25\n2,5;3,75\n-3,5;4,5\n")
    assert data.columns == ("column_0", "column_1")
    assert data.profile.table is not None
    assert [(c.kind, c.low, c.high) for c in data.profile.table.columns] == [
        ("numeric", -3.5, 2.5),
        ("numeric", 2.25, 4.5),
    ]
    assert data.profile.notes == (
        "t.csv has no header: columns are named column_0, column_1, … in order.",
        "column_0: numbers are read with a decimal comma.",
        "column_1: numbers are read with a decimal comma.",
    )


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        ("größe,b\n1,é\n2,ü\n".encode(), "utf-8"),
        ("größe,b\n1,é\n2,ü\n".encode("utf-8-sig"), "utf-8"),
        ("größe,b\n1,é\n2,ü\n".encode("utf-16"), "utf-16"),
        ("größe,b\n1,é\n2,ü\n".encode("utf-16-le"), "utf-16-le"),
        ("größe,b\n1,é\n2,ü\n".encode("utf-16-be"), "utf-16-be"),
    ],
)
def test_encodings(tmp_path: Path, content: bytes, encoding: str) -> None:
    data = table(tmp_path, content)
    assert data.columns == ("größe", "b")
    assert rows(data) == [("1", "é"), ("2", "ü")]
    assert data.profile.table is not None and data.profile.table.encoding == encoding


def test_latin1(tmp_path: Path) -> None:
    text = "größe,stadt\n" + "".join(f"{k},{town}\n" for k, town in enumerate(["Köln", "München", "Zürich"] * 20))
    data = table(tmp_path, text.encode("latin-1"))
    assert data.columns == ("größe", "stadt")
    assert rows(data)[1] == ("1", "München")


def test_a_stray_byte_far_behind_the_sample_changes_the_encoding(tmp_path: Path) -> None:
    body = b"".join(b"%d,plain\n" % k for k in range(120_000))
    data = table(tmp_path, b"a,b\n" + body + b"7,caf\xe9\n")
    assert data.profile.items == 120_001
    assert data.take(_index(120_000)).rows() == [("7", "café")]
    assert "t.csv is not UTF-8; it was read as cp1252." in data.profile.notes


def _index(*rows: int):  # type: ignore[no-untyped-def]
    import numpy as np

    return np.array(rows)


@pytest.mark.parametrize(
    ("content", "columns"),
    [
        ("a,b\n1,2\n3,4\n", ("a", "b")),
        ("1,2\n3,4\n5,6\n", ("column_0", "column_1")),
        ("0,1,2\n3.5,4,x\n5.5,6,y\n", ("0", "1", "2")),
        (",0,1,2\n0,3.5,4,x\n1,5.5,6,y\n", ("column_0", "0", "1", "2")),
        ("name,city\nann,rome\nbob,oslo\n", ("name", "city")),
        ("ann,rome\nbob,oslo\nann,oslo\n", ("column_0", "column_1")),
        ("when,v\n2024-01-02,1\n2024-01-03,2\n", ("when", "v")),
        ("2024-01-01,1\n2024-01-02,1\n2024-01-03,2\n", ("column_0", "column_1")),
        ("a,b\n1,2\n", ("a", "b")),
        ("1,2\n", ("column_0", "column_1")),
        ("x\n1\n2\n3\n", ("x",)),
        ("1\n2\n3\n", ("column_0",)),
    ],
)
def test_headers(tmp_path: Path, content: str, columns: tuple[str, ...]) -> None:
    assert table(tmp_path, content).columns == columns


def test_quoted_delimiters_quotes_and_newlines(tmp_path: Path) -> None:
    data = table(tmp_path, 'a,"b\nc"\n1,"x,y"\n2,"say ""hi""\nthere"\n3,5" disk\n')
    assert data.columns == ("a", "b\nc")
    assert rows(data) == [("1", "x,y"), ("2", 'say "hi"\nthere'), ("3", '5" disk')]


def test_blank_lines_and_blanks_around_cells(tmp_path: Path) -> None:
    data = table(tmp_path, "a,b\n 1, x \n\n2, ?\n3,NA\n")
    assert rows(data) == [("1", "x"), ("2", None), ("3", None)]


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_line_endings(tmp_path: Path, ending: str) -> None:
    assert rows(table(tmp_path, "a,b\n1,2\n3,4\n".replace("\n", ending))) == [("1", "2"), ("3", "4")]


def test_gzip(tmp_path: Path) -> None:
    data = table(tmp_path, gzip.compress(b"a,b\n1,2\n3,4\n"), "t.csv.gz")
    assert rows(data) == [("1", "2"), ("3", "4")]
    assert data.profile.layout == "csv"


def test_repeated_and_empty_names(tmp_path: Path) -> None:
    data = table(tmp_path, "a,a,,a_2\n1,2,3,4\n5,6,7,9\n")
    assert data.columns == ("a", "a_2", "column_2", "a_2_2")
    assert data.profile.notes == ("Column names that occur more than once were numbered: a.",)


def test_many_blocks_keep_row_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from agentad.modalities.table import text_file

    whole = text_file.blocks
    monkeypatch.setattr(text_file, "blocks", lambda stream, delimiter, size: whole(stream, delimiter, size=64))
    lines = [f"{k},v{k}" for k in range(200)]
    lines[150] = "150,v150,extra"
    data = table(tmp_path, "a,b\n" + "\n".join(lines) + "\n")
    assert data.profile.items == 199
    assert [skip.model_dump() for skip in data.profile.skipped] == [
        {"path": "t.csv, row 150", "reason": "3 cells instead of 2"}
    ]
    assert data.take(_index(198, 0, 149, 150)).rows() == [
        ("199", "v199"),
        ("0", "v0"),
        ("149", "v149"),
        ("151", "v151"),
    ]
    assert data.items.id[[0, 198]].tolist() == ["0", "198"]
