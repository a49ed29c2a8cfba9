"""Which columns a group of rows shows, and what is left to words."""

import pytest

from agentad import flow
from agentad.report.cells import COLUMNS, Cell, grid, interval


def row(name: str, **shares: float) -> flow.ScoredItem:
    evidence = tuple(
        flow.ColumnEvidence(column=c, actual=f"{c}!", expected=f"{c}?", share=s) for c, s in shares.items()
    )
    return flow.ScoredItem(id=name, score=1.0, p_value=0.5, flag=False, evidence=evidence)


def test_columns_come_by_their_total_share() -> None:
    assert grid([row("0", a=0.1, b=0.9), row("1", c=0.7, a=0.3)], {}).columns == ("b", "c", "a")


def test_cells_hold_drivers_and_plain_values() -> None:
    g = grid([row("0", a=0.6, b=0.4), row("1", b=1.0)], {"1": {"a": "7"}})
    assert g.columns == ("b", "a")
    assert g.cells == {
        "0": (Cell("b!", "b?", 0.4), Cell("a!", "a?", 0.6)),
        "1": (Cell("b!", "b?", 1.0), Cell("7")),
    }


def test_further_drivers_are_said_in_words_unless_minor() -> None:
    many = {f"c{i}": 0.2 for i in range(COLUMNS)}
    g = grid([row("0", **many, x=0.1, minor=0.01), row("1", **many)], {})
    assert g.others == {"0": "x is x!, expected x? (10 %)", "1": ""}


def test_rows_without_evidence_show_their_first_columns() -> None:
    values = {f"c{i}": str(i) for i in range(COLUMNS + 2)}
    g = grid([row("0")], {"0": values})
    assert g.columns == tuple(f"c{i}" for i in range(COLUMNS))
    assert g.cells == {"0": tuple(Cell(str(i)) for i in range(COLUMNS))}


def test_a_driver_of_next_to_nothing_looks_like_any_cell() -> None:
    assert grid([row("0", a=0.995, b=0.005)], {"0": {"b": "7"}}).cells == {"0": (Cell("a!", "a?", 0.995), Cell("7"))}


def test_rows_without_evidence_have_no_columns() -> None:
    assert grid([row("0")], {}).columns == ()


def test_the_interval_and_the_partner_of_a_driver() -> None:
    amount = {"column": "amount", "actual": "9999", "expected": "120", "low": "80", "high": "160", "share": 0.8}
    item = row("0").model_copy(update={"evidence": (flow.ColumnEvidence(**amount, partner="country"),)})
    assert grid([item], {}).cells == {"0": (Cell("9999", "120", 0.8, "80 to 160", "country"),)}


@pytest.mark.parametrize(("low", "high"), [(None, None), ("120", "120")])
def test_an_interval_that_says_nothing_is_not_said(low: str | None, high: str | None) -> None:
    assert interval(flow.ColumnEvidence(column="a", actual="7", expected="120", share=1.0, low=low, high=high)) == ""


def test_an_interval_is_said_in_few_digits() -> None:
    ends = {"low": "1.20848e-09", "high": "7.48098e-07"}
    assert interval(flow.ColumnEvidence(column="a", actual="7", expected="0.1", share=1.0, **ends)) == (
        "1.208e-09 to 7.481e-07"
    )


def test_words_name_the_interval_and_the_partner() -> None:
    many = row("0", **{f"c{i}": 0.15 for i in range(COLUMNS)})
    last = flow.ColumnEvidence(
        column="x", actual="9", expected="2", share=0.1, low="1", high="3", partner="\u202edlrow"
    )
    g = grid([many.model_copy(update={"evidence": (*many.evidence, last)})], {})
    assert g.others == {"0": "x is 9, expected 2 (1 to 3), odd only together with \\u202edlrow (10 %)"}
