import os
from pathlib import Path

import pytest

from agentad.modalities.shown import encodable, shown


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain name.csv", "plain name.csv"),
        ("größe ×2", "größe ×2"),
        ("a\nb\tc", "a\\nb\\tc"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("\u202egnp", "\\u202egnp"),
        (os.fsdecode(b"\xff.csv"), "\\xff.csv"),
        (Path("/data") / "x", "/data/x"),
        (12.5, "12.5"),
        ("", ""),
    ],
)
def test_shown_is_one_printable_line(text: object, expected: str) -> None:
    assert shown(text) == expected


def test_shown_is_short() -> None:
    assert shown("x" * 1_000_000, 5) == "xxxxx… (1,000,000 characters)"


def test_encodable_name_survives_utf8() -> None:
    assert encodable(os.fsdecode(b"caf\xe9 \xc3\xa9")) == "caf\\xe9 é"
