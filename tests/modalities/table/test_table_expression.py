import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentad.errors import InputError
from agentad.modalities.table.expression import parse

VALUES = {
    "a": np.array([1.0, 2.0]),
    "b_2": np.array([4.0, 8.0]),
    "unit price": np.array([0.5, 0.25]),
    "größe": np.ones(2),
}


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("a", [1, 2]),
        ("1 + 2 * a", [3, 5]),
        ("(1 + 2) * a", [3, 6]),
        ("b_2 - a - 1", [2, 5]),
        ("b_2 / a / 2", [2, 2]),
        ("-a * -2", [2, 4]),
        ("- - a", [1, 2]),
        ('"unit price" * b_2', [2, 2]),
        ("größe + .5 + 1e1", [11.5, 11.5]),
        ("a / (a - 1)", [np.inf, 2]),
    ],
)
def test_arithmetic(text, result):
    assert parse(text)(VALUES).tolist() == result


def test_columns_are_named_in_order():
    assert parse('b_2 * (a + "unit price") / b_2').columns == ("b_2", "a", "unit price")


REFUSED = [
    "",
    "a b",
    "a +",
    "(a",
    "a)",
    "a ** 2",
    "a.real",
    "a[0]",
    "f(a)",
    "__import__('os')",
    "a; b_2",
    "lambda: a",
    "a if a else a",
    "'a'",
    "a = 1",
    "a == a",
    "a // 2",
    "a @ a",
    "`a`",
    "\\x61",
    "a\n.__class__",
    '"a',
    "1 2",
    "{a}",
    "a % 2",
    "~a",
    "+a",
]


@pytest.mark.parametrize("text", REFUSED)
def test_anything_else_is_refused(text):
    with pytest.raises(InputError, match=r"^expression .*: cannot go on at "):
        parse(text)


def test_long_and_deep_ones_are_refused():
    with pytest.raises(InputError, match="longer than 1,000 characters"):
        parse("a+" * 600 + "a")
    with pytest.raises(InputError, match=r"^expression "):
        parse("(" * 999)


@given(st.text(max_size=40))
def test_any_text_parses_or_is_refused(text):
    try:
        parse(text)
    except InputError as error:
        assert str(error).startswith("expression ")
