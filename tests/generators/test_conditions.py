import pytest

from agentad.errors import InputError
from agentad.flow import Beyond, Column, Derived, Fixed, Limit, OneOf
from agentad.generators import conditions_from_words, read_conditions
from agentad.modalities.table.conditions import checked

KINDS = {
    "amount": "numeric",
    "hour": "integer",
    "unit_price": "numeric",
    "quantity": "integer",
    "country": "categorical",
    "paid": "datetime",
    "total": "numeric",
}
COLUMNS = tuple(Column(name=name, kind=kind, missing=0, distinct=9) for name, kind in KINDS.items())
WITHOUT_HOUR = tuple(column for column in COLUMNS if column.name != "hour")


@pytest.mark.parametrize(
    ("words", "condition"),
    [
        ("amount above 1000", Limit(column="amount", low=1000, exclusive=True)),
        ("Amount is over 10.5", Limit(column="amount", low=10.5, exclusive=True)),
        ("quantity at least 3", Limit(column="quantity", low=3)),
        ("quantity <= 3", Limit(column="quantity", high=3)),
        ("amount below -5", Limit(column="amount", high=-5, exclusive=True)),
        ("hour between 22 and 5", Limit(column="hour", low=22, high=5)),
        ("hour of paid between 22 and 5", Limit(column="paid", low=22, high=5, of="hour")),
        ("at night", Limit(column="hour", low=22, high=5)),
        ("amount too high", Beyond(column="amount", side="above", quantile=0.99)),
        ("the amounts are unusually small", Beyond(column="amount", side="below", quantile=0.01)),
        ("unit price very high", Beyond(column="unit_price", side="above", quantile=0.99)),
        ("country is DE", Fixed(column="country", value="DE")),
        ("quantity = 4", Fixed(column="quantity", value=4.0)),
        ("country one of DE, FR or IT", OneOf(column="country", values=("DE", "FR", "IT"))),
        ("total = unit_price * quantity", Derived(column="total", expression='"unit_price" * "quantity"')),
    ],
)
def test_clauses(words, condition):
    assert conditions_from_words(words, COLUMNS) == (condition,)


def test_a_sentence_of_clauses():
    found = conditions_from_words(
        "amount too high and hour between 22 and 5, country one of DE or FR; quantity > 2.", COLUMNS
    )
    assert [type(one) for one in found] == [Beyond, Limit, OneOf, Limit]


def test_night_is_about_the_only_moment_where_no_column_is_called_hour():
    assert conditions_from_words("at night", WITHOUT_HOUR) == (Limit(column="paid", low=22, high=5, of="hour"),)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (
            "amounts like last year",
            "condition 'amounts like last year' is not understood; these are: above, below, between … and …, too high, "
            "too low, is, one of, at night, and column = expression",
        ),
        (
            "size above 3",
            "'size' names no single column; the columns are amount, hour, unit_price, quantity, country, paid, total",
        ),
        (
            "total = __import__('os').system('true')",
            "expression __import__('os').system('true'): cannot go on at ('os').system('true'); numbers, columns, "
            "+ - * / and brackets are understood, other names within double quotes",
        ),
    ],
)
def test_other_words_are_refused(words, complaint):
    with pytest.raises(InputError) as caught:
        conditions_from_words(words, COLUMNS)
    assert str(caught.value) == complaint


def test_a_document():
    document = [
        {"kind": "limit", "column": "amount", "low": 1000, "exclusive": True},
        {"kind": "one-of", "column": "country", "values": ["DE", "FR"]},
        {"kind": "derived", "column": "total", "expression": "amount * quantity"},
    ]
    assert read_conditions(document, "c.yaml") == (
        Limit(column="amount", low=1000, exclusive=True),
        OneOf(column="country", values=("DE", "FR")),
        Derived(column="total", expression="amount * quantity"),
    )


@pytest.mark.parametrize(
    ("document", "complaint"),
    [
        ({"kind": "limit"}, "c.yaml: the document: Input should be a valid tuple, got {'kind': 'limit'}"),
        ([{"kind": "limit", "column": "a"}], "c.yaml: the limit of a has neither low nor high"),
        (
            [{"kind": "fixed", "column": "a", "value": 1, "run": "x"}],
            "c.yaml: 0.fixed.run: not a known key",
        ),
        (
            [{"kind": "beyond", "column": "a", "side": "above", "quantile": 2}],
            "c.yaml: 0.beyond.quantile: Input should be less than or equal to 1, got 2",
        ),
    ],
)
def test_documents_are_closed(document, complaint):
    with pytest.raises(InputError) as caught:
        read_conditions(document, "c.yaml")
    assert str(caught.value) == complaint


def test_an_unknown_kind_is_refused():
    with pytest.raises(InputError, match=r"^c\.yaml: 0: Input tag 'python' found using 'kind' does not match any of"):
        read_conditions([{"kind": "python", "column": "a"}], "c.yaml")


@pytest.mark.parametrize(
    ("condition", "complaint"),
    [
        (Fixed(column="channel", value="fax"), "channel is never fax; it is one of shop, web"),
        (Fixed(column="price", value="cheap"), "price holds numbers, and cheap is none"),
        (Limit(column="channel", low=3), "channel is not a number; only a number can be asked for like this"),
        (
            Limit(column="price", low=3, of="hour"),
            "price is not a moment; only a moment can be asked for like this",
        ),
        (
            Limit(column="size", low=3),
            "size is no column that rows are described by; these are: price, quantity, total, rate, channel, trusted, "
            "note, paid",
        ),
        (
            Fixed(column="paid", value="noon"),
            "paid holds moments; bound its hour instead of fixing it",
        ),
    ],
)
def test_a_table_refuses_what_it_cannot_hold(payments, condition, complaint):
    with pytest.raises(InputError) as caught:
        checked((condition,), payments[2])
    assert str(caught.value) == complaint


def test_one_condition_a_column(payments):
    with pytest.raises(InputError) as caught:
        checked((Limit(column="price", low=3), Limit(column="price", high=9)), payments[2])
    assert str(caught.value) == "price has two conditions; say in one what it should be"
