"""Broken, odd and malicious input: a clear error, or skipped, counted and listed. Never a hang, a trace or a write."""

import gzip
import io
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from agentad.errors import UnreadableData
from agentad.modalities.table import TableEncoder, open_table


def _parquet() -> bytes:
    buffer = io.BytesIO()
    pl.DataFrame({"a": np.arange(1000.0)}).write_parquet(buffer)
    return buffer.getvalue()


def _npz(compressed: bool = False, **arrays: object) -> bytes:
    buffer = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def _npz_with_header(shape: str, body: bytes) -> bytes:
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}}}".ljust(117).encode() + b"\n"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("X.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + body)
    return buffer.getvalue()


PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
JUNK = np.random.default_rng(0).bytes(5000)
BINARY = "{path} is not a text table: it holds binary data. Export the table as CSV or Parquet."

REFUSED: dict[str, tuple[str, bytes, str]] = {
    "0 bytes": ("a.csv", b"", "{path} holds no rows. Export it again, with its data."),
    "only blank lines": ("a.csv", b"\n\n \n", "{path} holds no rows. Export it again, with its data."),
    "only a header": ("a.csv", b"a,b\n", "{path} has a header but no rows. Export it again, with its data."),
    "only a header, cut": ("a.csv", b"a,b", "{path} has a header but no rows. Export it again, with its data."),
    "binary": ("a.csv", JUNK, BINARY),
    "binary without zero bytes": ("a.csv", JUNK.replace(b"\0", b""), BINARY),
    "zero bytes": ("a.csv", b"\0" * 4096, BINARY),
    "a PNG": ("a.csv", PNG, "{path} is not a text table: it is a PNG image."),
    "a workbook": (
        "a.csv",
        _npz(X=np.eye(2)),
        "{path} is not a text table: it is a zip archive (an Excel workbook, perhaps: save it as CSV).",
    ),
    "Parquet named .csv": (
        "a.csv",
        _parquet(),
        "{path} is not a text table: it is a Parquet file: rename it to .parquet.",
    ),
    "gzip named .csv": (
        "a.csv",
        gzip.compress(b"a,b\n1,2\n"),
        "{path} is not a text table: it is compressed with gzip: rename it to .gz.",
    ),
    "mostly ragged": (
        "a.csv",
        b"a,b\n1,2,3\n4,5,6\n7,8\n",
        "{path}: 2 of 3 rows have a number of cells other than the 2 of the first row (3 cells instead of 2). "
        "Remove lines above the header, and use one delimiter throughout.",
    ),
    "too wide": (
        "a.csv",
        (",".join(f"c{k}" for k in range(100_000)) + "\n" + ",".join(["1"] * 100_000) + "\n").encode(),
        "{path} has 100,000 columns; at most 10,000 are read. Keep the columns that matter, or swap rows and columns.",
    ),
    "truncated gzip": (
        "a.csv.gz",
        gzip.compress(b"a,b\n" + b"1,2\n" * 1000)[:-20],
        "{path} is a damaged gzip file: Compressed file ended before the end-of-stream marker was reached. "
        "Copy or compress it again.",
    ),
    "not gzip": (
        "a.csv.gz",
        b"a,b\n1,2\n",
        "{path} is a damaged gzip file: Not a gzipped file (b'a,'). Copy or compress it again.",
    ),
    "object arrays": (
        "a.npz",
        _npz(X=np.array([[{}, 1]], dtype=object)),
        "{path}: X has type object; it has to be an array of plain numbers.",
    ),
    "texts in npz": (
        "a.npz",
        _npz(X=np.array([["a"]])),
        "{path}: X has type <U1; it has to be an array of plain numbers.",
    ),
    "wrong keys": (
        "a.npz",
        _npz(data=np.eye(2)),
        "{path} holds data; it needs X (rows, columns) and may hold y (rows).",
    ),
    "wrong X": ("a.npz", _npz(X=np.ones(3)), "{path}: X has shape (3,); it has to be (rows, columns)."),
    "no rows in X": ("a.npz", _npz(X=np.ones((0, 3))), "{path}: X has shape (0, 3); it has to be (rows, columns)."),
    "wrong y": (
        "a.npz",
        _npz(X=np.eye(3), y=np.zeros(2)),
        "{path}: y has shape (2,) and X (3, 3); y needs one label a row.",
    ),
    "many labels": (
        "a.npz",
        _npz(X=np.eye(3), y=np.arange(3)),
        "{path}: y holds 2; it may hold 0 (normal) and 1 (anomalous) only.",
    ),
    "npz that promises more than it holds": (
        "a.npz",
        _npz_with_header("(1000000000000, 8)", b"\0" * 64),
        "{path}: X says it has shape (1000000000000, 8), but the file ends before. Save it again.",
    ),
    "not an npz": (
        "a.npz",
        b"hello",
        "{path} is a damaged or foreign npz file: File is not a zip file. Save it again.",
    ),
    "image": (
        "a.png",
        PNG,
        "{path} is not a table. Tables end in .csv, .tsv, .csv.gz, .tsv.gz, .txt, .txt.gz, .parquet, .npz.",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(tmp_path: Path, case: str) -> None:
    name, content, message = REFUSED[case]
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(UnreadableData) as error:
        open_table(path)
    assert str(error.value) == message.format(path=path)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("length", [4, 100, 600, 1000])
def test_truncated_parquet(tmp_path: Path, length: int) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(_parquet()[:length])
    with pytest.raises(UnreadableData, match=rf"^{path} cannot be read: .*Check the file and its permissions\.$"):
        open_table(path)


def test_parquet_without_rows(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pl.DataFrame({"a": []}, schema={"a": pl.Float64}).write_parquet(path)
    with pytest.raises(UnreadableData) as error:
        open_table(path)
    assert str(error.value) == (
        f"{path} says it holds 0 rows; between 1 and 500,000,000 can be read. Export it again, or in parts."
    )


def test_zip_bomb(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("X.npy", b"x")
    whole = bytearray(path.read_bytes())
    entry = whole.index(b"PK\x01\x02")
    whole[entry + 24 : entry + 28] = (0xF0000000).to_bytes(4, "little")  # unpacked size, in the directory
    path.write_bytes(whole)
    with pytest.raises(UnreadableData) as error:
        open_table(path)
    assert str(error.value) == (
        f"{path}: X unfolds to 4,026,531,840 bytes; at most 2,147,483,648 are read. Save it as Parquet."
    )


def test_gzip_bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from agentad.modalities.table import text_file

    monkeypatch.setattr(text_file, "FREE", 1 << 20)
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(b"a,b\n" + b"0,0\n" * 1_000_000))
    with pytest.raises(UnreadableData) as error:
        open_table(path)
    assert str(error.value) == (f"{path} unfolds to more than 200 times its size. If this is meant, unpack it first.")


def test_unclosed_quote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from agentad.modalities.table import text_file

    whole = text_file.blocks
    monkeypatch.setattr(text_file, "blocks", lambda s, d, size: whole(s, d, size=256, longest=4096))
    path = tmp_path / "a.csv"
    path.write_text("a,b\n" + "1,2\n" * 100 + '3,"4\n' + "5,6\n" * 3000)
    with pytest.raises(UnreadableData) as error:
        open_table(path)
    assert str(error.value) == (
        f"{path}: the row after row 100 does not end within 64 MiB. Look for a quotation mark that is never closed."
    )


def _absent(folder: Path) -> tuple[Path, str]:
    return folder / "a.csv", "cannot be read: No such file or directory. Check the file and its permissions."


def _fifo(folder: Path) -> tuple[Path, str]:
    os.mkfifo(folder / "a.csv")
    return folder / "a.csv", "is a pipe, a socket or a device. Save its content to a file first."


def _device(folder: Path) -> tuple[Path, str]:
    (folder / "a.csv").symlink_to("/dev/zero")
    return folder / "a.csv", "is a pipe, a socket or a device. Save its content to a file first."


def _loop(folder: Path) -> tuple[Path, str]:
    (folder / "a.csv").symlink_to(folder / "b.csv")
    (folder / "b.csv").symlink_to(folder / "a.csv")
    return folder / "a.csv", "cannot be read: Too many levels of symbolic links. Check the file and its permissions."


def _empty_folder(folder: Path) -> tuple[Path, str]:
    return folder, "holds no table. Tables end in .csv, .tsv, .csv.gz, .tsv.gz, .txt, .txt.gz, .parquet, .npz."


def _folder_named_like_a_file(folder: Path) -> tuple[Path, str]:
    (folder / "a.csv").mkdir()
    return (
        folder / "a.csv",
        "holds no table. Tables end in .csv, .tsv, .csv.gz, .tsv.gz, .txt, .txt.gz, .parquet, .npz.",
    )


@pytest.mark.parametrize(
    "make", [_absent, _fifo, _device, _loop, _empty_folder, _folder_named_like_a_file], ids=lambda make: make.__name__
)
def test_not_a_regular_file(tmp_path: Path, make: Callable[[Path], tuple[Path, str]]) -> None:
    path, message = make(tmp_path)
    with pytest.raises(UnreadableData) as error:
        open_table(path)
    assert str(error.value) == f"{path} {message}"


def test_unreadable_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(UnreadableData) as error:
        open_table(tmp_path)
    assert str(error.value) == f"{tmp_path} cannot be read: Permission denied. Check the file and its permissions."


def test_folder_with_loops_pipes_and_broken_links(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a,b\n1,2\n3,4\n")
    (tmp_path / "again").symlink_to(tmp_path)
    (tmp_path / "gone.csv").symlink_to(tmp_path / "absent")
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "up").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "pipe.csv")
    profile = open_table(tmp_path).profile
    assert profile.items == 2
    assert [(skip.path, skip.reason) for skip in profile.skipped] == [
        ("gone.csv", "not a regular file"),
        ("pipe.csv", "not a regular file"),
    ]


NAMES = [b"a b.csv", b'it\'s "so".csv', b"line\nbreak.csv", b"caf\xe9.csv", b"..csv", b"-rf.csv", b"\x1b[31m.csv"]


@pytest.mark.parametrize("name", NAMES)
def test_odd_file_names(tmp_path: Path, name: bytes) -> None:
    path = tmp_path / os.fsdecode(name)
    path.write_text("a,b\n1,2\n3,4,5\n6,7\n")
    data = open_table(path)
    document = data.profile.model_dump_json()
    assert data.items.id.tolist() == ["0", "1"]
    assert data.profile.model_validate_json(document) == data.profile
    assert data.profile.skipped[0].path.isprintable()


@pytest.mark.parametrize("name", NAMES[:4])
def test_odd_file_names_in_a_folder(tmp_path: Path, name: bytes) -> None:
    for part in (os.fsdecode(name), "other.csv"):
        (tmp_path / part).write_text("a,b\n1,2\n3,4\n")
    ids = open_table(tmp_path).items.id.tolist()
    assert len(set(ids)) == 4
    "\n".join(ids).encode()


def test_odd_file_names_in_errors(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"new\nline\xff.csv")
    path.touch()
    with pytest.raises(UnreadableData) as error:
        open_table(path)
    assert str(error.value) == f"{tmp_path}/new\\nline\\xff.csv holds no rows. Export it again, with its data."


@pytest.mark.parametrize("name", ["'; DROP", "../../etc/passwd", "a\nb", "\x1b[2J", 'say "hi"', "ü" * 5000])
def test_odd_column_names(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a.csv"
    cell = '"' + name.replace('"', '""') + '"'
    path.write_text(f"{cell},b\n" + "".join(f"{k * 1.5},{k % 7}\n" for k in range(30)))
    data = open_table(path)
    assert data.columns == (name.strip()[:200], "b")
    encoder = TableEncoder().fit(next(data.chunks()), data.profile)
    assert encoder.columns[0] == name.strip()[:200]


def test_ragged_rows_are_skipped_counted_and_listed(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("a,b\n" + "1,2\n" * 40 + "3\n" + "4,5,6\n" * 30)
    profile = open_table(path).profile
    assert (profile.items, profile.n_skipped, len(profile.skipped)) == (40, 31, 20)
    assert [(skip.path, skip.reason) for skip in profile.skipped[:2]] == [
        ("a.csv, row 40", "1 cells instead of 2"),
        ("a.csv, row 41", "3 cells instead of 2"),
    ]
    assert "31 rows with a wrong number of cells were skipped; rows are numbered without them." in profile.notes


ACCEPTED = {
    "1 row": b"a,b\n1,2\n",
    "one column": b"a\n1.5\n2.5\n3.5\n",
    "a NUL byte": b"a,b\n" + b"1,2\n" * 2000 + b"3,\x00\n",
    "a long cell": b"a,b\n1," + b"x" * 1_000_000 + b"\n2,y\n",
    "a long first cell": b'"' + b"n" * 120_000 + b'",b\n1,2\n',
    "all missing": b"a,b\n,1\n,2\n",
    "infinities": b"a,b\ninf,1.5\n-inf,2.5\n1e999,3.5\n1,4.5\n",
    "many columns": (",".join(f"c{k}" for k in range(1000)) + "\n" + (",".join(["1"] * 1000) + "\n") * 3).encode(),
    "dates with other digits": "a,b\n2024-01-02,x\n20２4-01-02,y\n１-01-02,z\n".encode(),
    "no line break at the end": b"a,b\n1,2\n3,4",
    "mixed line ends": b"a,b\r\n1,2\n3,4\r\n",
    "numbers of every size": b"a,b\n1e300,0\n-1e300,5\n1e-320,7\n0,8\n",
    "quote at the end": b'a,b\n1,2\n3,"4\n',
}


@pytest.mark.parametrize("case", ACCEPTED)
def test_odd_but_readable(tmp_path: Path, case: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(ACCEPTED[case])
    data = open_table(path)
    rows = sum(len(frame) for frame in data.chunks())
    assert rows == data.profile.items == len(data.items) > 0
    assert data.profile.model_validate_json(data.profile.model_dump_json()) == data.profile
