"""Numbers as people write them, and hostile text made visible."""

import pytest

from agentad.report.text import chance, clean, count, figure, number, percent, tied, whole


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0, "0"),
        (-0.0, "0"),
        (3.21449, "3.214"),
        (1234567.0, "1,234,567"),
        (12345.6, "12,346"),
        (0.00001234, "1.23e-05"),
        (-2.5, "-2.5"),
        (1.5e12 + 0.5, "1.5e+12"),
    ],
)
def test_number(value: float, shown: str) -> None:
    assert number(value) == shown


@pytest.mark.parametrize(
    ("share", "shown"),
    [
        (0.0, "0 %"),
        (0.01, "1 %"),
        (0.0042, "0.42 %"),
        (0.00001, "under 0.01 %"),
        (0.9964, "99.6 %"),
        (1.0, "100 %"),
        (0.125, "12.5 %"),
    ],
)
def test_percent(share: float, shown: str) -> None:
    assert percent(share) == shown


def test_whole_per_cent_keeps_a_trace_visible() -> None:
    assert [whole(s) for s in (0.0, 0.001, 0.415, 1.0)] == ["0 %", "< 1 %", "42 %", "100 %"]


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        ("9999", "9999"),
        ("416448292014.43787", "4.164e+11"),
        ("-1.0694091914709383e-9", "-1.069e-09"),
        ("4.70595e-08", "4.706e-08"),
        ("1e+12", "1e+12"),
        ("12345678.25", "12345678.25"),
        ("1234.5678901234567", "1234.57"),
        ("20240131120000", "20240131120000"),  # as likely a code as a count
        ("2024-01-31 12:00", "2024-01-31 12:00"),
        ("1234.5678901234567 kg", "1234.5678901234567 kg"),
        ("1.2345678901e999", "1.2345678901e999"),
    ],
)
def test_a_fraction_of_many_digits_is_cut_and_nothing_else(cell: str, shown: str) -> None:
    assert figure(cell) == shown


def test_chance_has_a_floor() -> None:
    assert [chance(p) for p in (0.5, 0.00412, 1e-9)] == ["0.5", "0.0041", "<\u00a00.0001"]


def test_count_agrees_in_number() -> None:
    assert [count(n, "row") for n in (0, 1, 1200)] == ["0 rows", "1 row", "1,200 rows"]


def test_tied_keeps_per_cent_signs_on_the_line_of_their_number() -> None:
    assert tied("about 1 % of rows") == "about 1\u00a0% of rows"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb\tc\x1b[31m", "a\\nb\\tc\\x1b[31m"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("bad\udcff", "bad\\udcff"),
        ("line\u2028break", "line\\u2028break"),
        ("שלום", "שלום"),
        ("می\u200cخواهم", "می\u200cخواهم"),
    ],
)
def test_clean_spells_out_what_is_invisible(text: str, shown: str) -> None:
    assert clean(text) == shown


def test_clean_caps_long_text() -> None:
    assert clean("a" * 10_000, 20) == "a" * 19 + "…"
    assert clean("a" * 20, 20) == "a" * 20


def test_clean_keeps_the_newlines_of_a_command() -> None:
    assert clean("a 'b\nc'", keep_newlines=True) == "a 'b\nc'"
