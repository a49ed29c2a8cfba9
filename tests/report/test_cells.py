"""Which columns a group of rows shows, and what is left to words."""

from agentad import flow
from agentad.report.cells import COLUMNS, Cell, grid


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
    assert grid([row("0")], {}).columns == ()
