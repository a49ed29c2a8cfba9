import csv
import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentad.modalities.table.records import RecordTooLong, blocks, last_end
from agentad.modalities.table.text_file import TextFile
from agentad.modalities.table.values import MISSING

CELL = st.text(st.sampled_from('ab,;"\n\r1 é'), max_size=6)


@pytest.mark.parametrize(
    ("buffer", "end"),
    [
        (b"a,b\nc", 4),
        (b"a,b", 0),
        (b'a,"x\ny', 0),
        (b'1,2\na,"x\ny', 4),
        (b'1,2\na,"x\ny"\n', 12),
        (b'1,2\na,"x""\ny', 4),
        (b'1,5" disk\n2,3\n', 14),
        (b'1,5""\n2,"3\n', 6),
        (b"1\r2\r", 2),
        (b'""\n', 3),
    ],
)
def test_last_end(buffer: bytes, end: int) -> None:
    assert last_end(buffer, ",") == end


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(st.lists(CELL, min_size=2, max_size=2), min_size=1, max_size=12), size=st.integers(1, 40))
def test_blocks_are_whole_records(rows: list[list[str]], size: int) -> None:
    written = io.StringIO()
    csv.writer(written, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
    whole = written.getvalue().encode()

    pieces = list(blocks(io.BytesIO(whole), ",", size=size))

    assert b"".join(pieces) == whole
    assert [row for piece in pieces for row in csv.reader(io.StringIO(piece.decode(), newline=""))] == rows


@settings(max_examples=40, deadline=None)
@given(rows=st.lists(st.lists(CELL, min_size=3, max_size=3), min_size=1, max_size=8))
def test_csv_round_trip(rows: list[list[str]], tmp_path_factory: pytest.TempPathFactory) -> None:
    path: Path = tmp_path_factory.mktemp("csv") / "t.csv"
    with path.open("w", newline="") as stream:
        csv.writer(stream, quoting=csv.QUOTE_ALL).writerows([["first", "second", "third"], *rows])

    frames = list(TextFile(path, like=("first", "second", "third")).frames())

    expected = [tuple(None if cell.strip() in MISSING else cell.strip() for cell in row) for row in rows]
    assert [row for frame in frames for row in frame.rows()] == expected


def test_a_record_without_end_is_told() -> None:
    with pytest.raises(RecordTooLong):
        list(blocks(io.BytesIO(b'a,b\n1,"' + b"x" * 100), ",", size=10, longest=50))
