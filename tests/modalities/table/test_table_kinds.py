"""What columns are found to be, on columns whose kind is known because we made them."""

import uuid
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from agentad.flow import Column, DataProfile
from agentad.modalities.table import open_table

N = 300
RNG = np.random.default_rng(5)
WORDS = np.array(["amber", "birch", "cedar", "dune", "ember", "frost", "grove", "heath", "isle", "jade"])


def _sentences() -> list[str]:
    return [" ".join(RNG.choice(WORDS, 7)) + f" {k}" for k in range(N)]


COLUMNS: dict[str, tuple[object, str]] = {
    "real": (RNG.normal(size=N), "numeric"),
    "distinct_reals": (np.arange(N) + 0.5, "numeric"),
    "whole": (RNG.integers(0, 40, N), "integer"),
    "whole_floats": (RNG.integers(0, 40, N).astype(float), "integer"),
    "salary_all_different": (RNG.permutation(np.arange(N) * 97), "integer"),
    "unix_time": (1_700_000_000 + np.cumsum(RNG.integers(5, 90, N)), "integer"),
    "bits": (RNG.integers(0, 2, N), "boolean"),
    "yes_no": (RNG.choice(["yes", "no"], N), "boolean"),
    "truth": (RNG.integers(0, 2, N).astype(bool), "boolean"),
    "colour": (RNG.choice(["red", "green", "blue"], N), "categorical"),
    "customer": ([f"c{k}" for k in RNG.integers(0, 60, N)], "categorical"),
    "day": ([f"2024-03-{1 + k % 28:02d}" for k in range(N)], "datetime"),
    "us_day": ([f"03/{1 + k % 28:02d}/2024" for k in range(N)], "datetime"),
    "stamp": ([f"2024-03-{1 + k % 28:02d}T{k % 24:02d}:{k % 60:02d}:00Z" for k in range(N)], "datetime"),
    "remark": (_sentences(), "text"),
    "counter": (np.arange(N) + 1000, "identifier"),
    "shuffled": (RNG.permutation(N), "identifier"),
    "account_id": (RNG.permutation(np.arange(N) * 97), "identifier"),
    "invoice": ([f"INV-{k:06d}" for k in RNG.permutation(N)], "identifier"),
    "guid": ([str(uuid.UUID(int=int(k) << 64)) for k in RNG.permutation(N)], "identifier"),
    "fixed": (np.full(N, 7.5), "constant"),
    "spelled_fixed": (["1", "1.0"] * (N // 2), "constant"),
    "nothing": ([None] * N, "empty"),
    "endless": (np.where(np.arange(N) % 2, np.inf, -np.inf), "empty"),
}


@pytest.fixture(scope="module")
def frame() -> pl.DataFrame:
    return pl.DataFrame({name: values for name, (values, _) in COLUMNS.items()}, strict=False)


@pytest.fixture(scope="module", params=["csv", "parquet"])
def profile(
    request: pytest.FixtureRequest, frame: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory
) -> DataProfile:
    path: Path = tmp_path_factory.mktemp("kinds") / f"t.{request.param}"
    frame.write_csv(path) if request.param == "csv" else frame.write_parquet(path)
    return open_table(path).profile


@pytest.mark.parametrize("name", COLUMNS)
def test_kind(profile: DataProfile, name: str) -> None:
    assert _column(profile, name).kind == COLUMNS[name][1]


def test_moments_of_numbers(profile: DataProfile, frame: pl.DataFrame) -> None:
    column = _column(profile, "real")
    assert column.low == frame["real"].min() and column.high == frame["real"].max()
    assert column.mean == pytest.approx(frame["real"].mean())
    assert (column.missing, column.distinct) == (0, N)


def _column(profile: DataProfile, name: str) -> Column:
    assert profile.table is not None
    return next(column for column in profile.table.columns if column.name == name)


def _open(path: Path, values: list[str], name: str = "v") -> DataProfile:
    file = path / "t.csv"
    file.write_text(f"{name};other\n" + "".join(f"{value};{k * 1.5}\n" for k, value in enumerate(values)))
    return open_table(file).profile


@pytest.mark.parametrize(
    ("values", "kind", "missing", "note"),
    [
        (["1.5", "NA", "", "?", "2.5", "-", "null", "None", "N/A", "NaN"], "numeric", 0.8, None),
        (
            ["1.5"] * 38 + ["2", "oops"],
            "numeric",
            0,
            "v: 0.025 of the values are not numbers (such as oops); they count as missing.",
        ),
        (
            ["1.5", "2", "low", "high"] * 10,
            "categorical",
            0,
            "v: 0.5 of the values are not numbers, so it is read as categorical.",
        ),
        (["1", "2.5", "inf", "1e999"], "numeric", 0, "v: 2 infinite or too large values count as missing."),
        (["1,234.5", "2,000,000", "17"], "numeric", 0, "v: numbers are read with commas between thousands."),
        (["1.234,5", "2.000", "17"], "numeric", 0, "v: numbers are read with a decimal comma."),
        (
            ["01/02/2024", "03/04/2024", "05/06/2024"],
            "datetime",
            0,
            "v: day and month could be either way round; it is read as %m/%d/%Y.",
        ),
        (["13/02/2024", "03/04/2024", "05/06/2024"], "datetime", 0, None),
        ([""] * 5, "empty", 1, "v: no value in any row; left out."),
    ],
)
def test_notes(tmp_path: Path, values: list[str], kind: str, missing: float, note: str | None) -> None:
    profile = _open(tmp_path, values)
    column = _column(profile, "v")
    assert (column.kind, column.missing) == (kind, pytest.approx(missing))
    assert profile.notes == (() if note is None else (note,))


def test_spellings_give_the_values_meant(tmp_path: Path) -> None:
    thousands = _column(_open(tmp_path, ["1,234.5", "2,000,000", "17"]), "v")
    decimal = _column(_open(tmp_path, ["1.234,5", "2.000", "17"]), "v")
    assert (thousands.low, thousands.high) == (17, 2_000_000)
    assert (decimal.low, decimal.high) == (17, 2000)


def test_the_whole_file_decides_not_its_beginning(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    late = ["7"] * 70_000 + ["seven", "eight"] * 40_000
    file.write_text("v;w\n" + "".join(f"{value};{k % 9}\n" for k, value in enumerate(late)))
    assert _column(open_table(file).profile, "v").kind == "categorical"


def test_equal_rows_share_a_group_whatever_their_identifier_and_label(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    values = [k % 10 for k in range(60)]
    file.write_text("row_id,v,w,label\n" + "".join(f"{k},{v},{v * 1.5},{k % 2}\n" for k, v in enumerate(values)))
    data = open_table(file)
    assert data.items.group.tolist() == values
    assert data.profile.groups == 10


def test_examples_are_short(tmp_path: Path) -> None:
    column = _column(_open(tmp_path, ["x" * 1_000_000, "b", "b"]), "v")
    assert column.examples == ("x" * 39 + "…", "b")


def test_constants_and_copies_are_left_out_with_one_note_each(tmp_path: Path) -> None:
    values = RNG.normal(size=N)
    frame = pl.DataFrame({"v": values, "again": values, "nearly": [0.0, *values[1:]], "fixed": ["x"] * N, "one": 1})
    frame.write_csv(tmp_path / "t.csv")
    profile = open_table(tmp_path / "t.csv").profile
    assert profile.table is not None
    assert [column.same_as for column in profile.table.columns] == [None, "v", None, None, None]
    assert profile.notes == (
        "The same value in every row, so left out: fixed, one.",
        "The same cells as another column, so left out: again (same as v).",
    )


def test_a_copy_of_the_label_is_left_out_wherever_it_stands(tmp_path: Path) -> None:
    label = (np.arange(N) % 10 == 0).astype(int)
    frame = pl.DataFrame({"hint": label, "v": RNG.normal(size=N), "label": label, "other": 1 - label})
    frame.write_csv(tmp_path / "t.csv")
    profile = open_table(tmp_path / "t.csv").profile
    assert profile.table is not None
    assert [(c.kind, c.same_as) for c in profile.table.columns] == [
        ("boolean", "label"),
        ("numeric", None),
        ("label", None),
        ("boolean", None),
    ]
    assert profile.notes[1:] == ("The same cells as another column, so left out: hint (same as label).",)


def test_columns_of_few_rows_may_be_equal_by_chance(tmp_path: Path) -> None:
    pl.DataFrame({"a": [1.5, 2.5, 3.5], "b": [1.5, 2.5, 3.5]}).write_csv(tmp_path / "t.csv")
    assert open_table(tmp_path / "t.csv").profile.notes == ()
