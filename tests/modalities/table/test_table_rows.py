"""Invented rows get the columns that nothing learns from."""

import polars as pl

from agentad.flow import Column
from agentad.modalities.table.rows import completed


def column(name: str, kind: str, same_as: str | None = None) -> Column:
    return Column(name=name, kind=kind, missing=0, distinct=2, same_as=same_as)


def test_constants_and_copies_are_as_they_were() -> None:
    like = pl.DataFrame({"id": [1, 2], "v": [1.5, 2.5], "again": [1.5, 2.5], "fixed": ["x", "x"], "y": [0, 1]})
    kinds = ["identifier", "numeric", "numeric", "constant", "label"]
    columns = [column(name, kind) for name, kind in zip(like.columns, kinds, strict=True)]
    columns[2] = column("again", "numeric", same_as="v")
    made = completed(pl.DataFrame({"v": [7.5]}), like, columns)
    assert made.rows() == [(None, 7.5, 7.5, "x", None)]
    assert made.schema == like.schema
