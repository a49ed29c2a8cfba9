"""Tables that break readers: what cannot be used and what can, with surprises."""

import gzip
import io
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

Maker = Callable[[Path], Path]
"""Builds something below an empty folder and returns the path to be given with --data."""

GOOD = [f"{i % 7}.{i % 10},{(i * 37) % 11},{'red' if i % 3 else 'green'}" for i in range(40)]
JUNK = np.random.default_rng(0).bytes(3000)
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"


def table(rows: list[str], header: str = "a,b,c") -> bytes:
    return "\n".join([header, *rows, ""]).encode("utf-8", "surrogateescape")


def parquet(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    return buffer.getvalue()


def npz(**arrays: object) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def zipped(name: str, content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, content)
    return buffer.getvalue()


def file(name: str | bytes, content: bytes) -> Maker:
    def make(folder: Path) -> Path:
        path = folder / os.fsdecode(name)
        path.write_bytes(content)
        return path

    return make


def several(**contents: bytes) -> Maker:
    def make(folder: Path) -> Path:
        for name, content in contents.items():
            (folder / name.replace("_", ".")).write_bytes(content)
        return folder

    return make


def linked(name: str, target: str) -> Maker:
    def make(folder: Path) -> Path:
        (folder / name).symlink_to(target)
        return folder / name

    return make


def _pipe(folder: Path) -> Path:
    os.mkfifo(folder / "pipe.csv")
    return folder / "pipe.csv"


def _folder_like_a_table(folder: Path) -> Path:
    (folder / "folder.csv").mkdir()
    return folder / "folder.csv"


def _looping_folder(folder: Path) -> Path:
    (folder / "empty").mkdir()
    (folder / "empty" / "again").symlink_to("..")
    return folder / "empty"


def _wide() -> bytes:
    return table([",".join("1" * 20_000)], ",".join(f"c{k}" for k in range(20_000)))


def _labelled(*labels: int) -> bytes:
    return table([f"{row},{label}" for row, label in zip(GOOD, labels, strict=False)], "a,b,c,anomaly")


REFUSED: dict[str, tuple[Maker, int, str]] = {
    # name: (how it is made, exit code, what the message must hold)
    "zero bytes": (file("zero.csv", b""), 2, "zero.csv"),
    "blank lines": (file("blank.csv", b"\n\n \n"), 2, "blank.csv"),
    "header only": (file("header.csv", b"a,b\n"), 2, "header.csv has a header but no rows"),
    "a zero byte inside": (file("nul.csv", table([*GOOD, "1,2,r\0d"])), 2, "nul.csv"),
    "binary": (file("binary.csv", JUNK), 2, "binary.csv"),
    "png named csv": (file("picture.csv", PNG), 2, "picture.csv"),
    "workbook named csv": (file("book.csv", zipped("xl/workbook.xml", b"<x/>")), 2, "book.csv"),
    "parquet named csv": (file("p.csv", parquet(pl.DataFrame({"a": [1.0, 2.0]}))), 2, "p.csv"),
    "gzip named csv": (file("g.csv", gzip.compress(b"a,b\n1,2\n")), 2, "g.csv"),
    "csv named gz": (file("plain.csv.gz", b"a,b\n1,2\n"), 2, "plain.csv.gz"),
    "truncated gzip": (file("cut.csv.gz", gzip.compress(table(GOOD))[:-9]), 2, "cut.csv.gz"),
    "mostly ragged": (file("ragged.csv", b"a,b\n1,2,3\n4,5,6\n7,8\n"), 2, "ragged.csv"),
    "twenty thousand columns": (file("wide.csv", _wide()), 2, "wide.csv"),
    "truncated parquet": (file("cut.parquet", parquet(pl.DataFrame({"a": [1.0] * 99}))[:-30]), 2, "cut.parquet"),
    "parquet without rows": (file("none.parquet", parquet(pl.DataFrame({"a": []}))), 2, "none.parquet"),
    "text named parquet": (file("text.parquet", b"hello" * 9), 2, "text.parquet"),
    "npz of objects": (file("o.npz", npz(X=np.array([[{}, 1]], dtype=object))), 2, "o.npz"),
    "npz without X": (file("k.npz", npz(data=np.eye(3))), 2, "k.npz"),
    "npz of one dimension": (file("d.npz", npz(X=np.ones(3))), 2, "d.npz"),
    "npz with a short y": (file("y.npz", npz(X=np.eye(3), y=np.zeros(2))), 2, "y.npz"),
    "npz that climbs out": (file("up.npz", zipped("../../up.npy", b"x")), 2, "up.npz"),
    "npz that is text": (file("t.npz", b"hello"), 2, "t.npz"),
    "pipe": (_pipe, 2, "pipe.csv"),
    "folder named csv": (_folder_like_a_table, 2, "folder.csv"),
    "folder that holds a way up": (_looping_folder, 2, "empty"),
    "device": (linked("endless.csv", "/dev/zero"), 2, "endless.csv"),
    "dangling link": (linked("gone.csv", "nowhere.csv"), 2, "gone.csv"),
    "link to itself": (linked("loop.csv", "loop.csv"), 2, "loop.csv"),
    "absent": (lambda folder: folder / "absent.csv", 2, "absent.csv"),
    "absent, below a file": (lambda folder: file("f", b"")(folder) / "absent.csv", 2, "absent.csv"),
    "name too long": (lambda folder: folder / ("long" * 200), 2, "longlong"),
    "name of a broken line": (lambda folder: folder / "two\nlines\x1b[31m.csv", 2, "two\\nlines\\x1b[31m.csv"),
    "name that is not UTF-8": (file(b"caf\xe9.csv", b"a,b\n"), 2, "caf\\xe9.csv"),
    "another suffix": (file("table.docx", b"x"), 2, "table.docx"),
    "parts that differ": (several(one_csv=b"a,b\n1,2\n", two_csv=b"c,d\n1,2\n"), 2, "one.csv"),
    "parts of two formats": (several(one_csv=b"a,b\n1,2\n", two_npz=npz(X=np.eye(3))), 2, "one.csv, two.npz"),
    "one row": (file("single.csv", table(GOOD[:1])), 3, "single.csv"),
    "nothing but a constant": (file("constant.csv", table(["1,1"] * 9, "a,b")), 3, "constant.csv"),
    "nothing but missing": (file("missing.csv", table([","] * 9, "a,b")), 3, "missing.csv"),
    "nothing but identifiers": (file("ids.csv", table([f"x{i:04}" for i in range(99)], "id")), 3, "ids.csv"),
    "all anomalous": (file("bad.csv", _labelled(*[1] * 40)), 3, "bad.csv"),
    "one normal": (file("lonely.csv", _labelled(0, *[1] * 39)), 3, "lonely.csv"),
}

FEW = [*GOOD[:8], "1,2", *GOOD[8:16], "1,2,3,4", *GOOD[16:]]

USABLE: dict[str, tuple[Maker, int]] = {
    # name: (how it is made, how many things are skipped)
    "one column": (file("one.csv", table([str(i * i) for i in range(30)], "a")), 0),
    "two rows": (file("two.csv", table(GOOD[:2])), 0),
    "three rows": (file("three.csv", table(GOOD[:3])), 0),
    "ragged rows": (file("few.csv", table(FEW)), 2),
    "a column of nothing": (file("n.csv", table([f"{row}," for row in GOOD], "a,b,c,d")), 0),
    "infinities": (file("inf.csv", table([*GOOD, "inf,-inf,red", "Infinity,1e999,green", "nan,,"])), 0),
    "beyond float32": (file("big.csv", table([*GOOD, "1e300,-1e300,red", "1e39,3,green", "1e-320,3,red"])), 0),
    "beyond float32, mostly": (file("vast.csv", table([f"{i}e300,{i}" for i in range(30)], "a,b")), 0),
    "infinities in npz": (file("i.npz", npz(X=np.array([[1.0, 2], [np.inf, 3], [np.nan, -np.inf], [4, 5]]))), 0),
    "all rows alike but one": (file("alike.csv", table(["1,2,red"] * 30 + ["9,9,green"])), 0),
    "a label without anomalies": (file("l.csv", _labelled(*[0] * 40)), 0),
    "a label with one anomaly": (file("o.csv", _labelled(*[0] * 39, 1)), 0),
    "a label of nothing": (file("e.csv", table([f"{row}," for row in GOOD], "a,b,c,anomaly")), 0),
    "two labels": (file("t.csv", table([f"{row},0,1" for row in GOOD], "a,b,c,anomaly,label")), 0),
    "odd column names": (
        file("names.csv", table(GOOD, '"a,\n<script>alert(1)</script>",\'../../b\',\x1b[31m""')),
        0,
    ),
    "the same name thrice": (file("same.csv", table(GOOD, "a,a,a")), 0),
    "formulas": (file("formula.csv", table([f"{i},\"=cmd|' /C calc'!A{i}\"" for i in range(30)], "a,b")), 0),
    "a cell of a megabyte": (file("cell.csv", table([*GOOD, f"1,2,{'x' * (1 << 20)}"])), 0),
    "dates out of range": (
        file("dates.csv", table([f"{i},9999-12-{1 + i % 28}" for i in range(30)] + ["3,0001-01-01"], "a,d")),
        0,
    ),
    "UTF-16": (file("u.csv", table(GOOD).decode().encode("utf-16")), 0),
    "Windows-1252": (file("w.csv", table([row.replace("red", "r\udce9d") for row in GOOD])), 0),
    "no end of line": (file("end.csv", table(GOOD).rstrip(b"\n")), 0),
    "old line ends": (file("mac.csv", table(GOOD).replace(b"\n", b"\r\n")), 0),
    "name with everything": (file("a 'b\" $(touch x) ; ü\n<b>.csv", table(GOOD)), 0),
    "name that looks like an option": (file("--help.csv", table(GOOD)), 0),
    "parts beside clutter": (
        several(one_csv=table(GOOD), two_csv=table(GOOD), notes_md=b"x", empty_csv=b""),
        2,
    ),
    "parquet of odd types": (
        file(
            "types.parquet",
            parquet(
                pl.DataFrame(
                    {
                        "a": [float(i % 7) for i in range(30)],
                        "l": [[i] for i in range(30)],
                        "s": [{"x": i} for i in range(30)],
                    }
                )
            ),
        ),
        0,
    ),
}
