"""Encoded rows become valid cells again."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from agentad.modalities.table import TableEncoder, open_table


def fitted(path: Path, frame: pl.DataFrame, name: str = "t.csv") -> tuple[TableEncoder, pl.DataFrame]:
    frame.write_parquet(path / name) if name.endswith("parquet") else frame.write_csv(path / name)
    data = open_table(path / name)
    rows = pl.concat(data.chunks())
    return TableEncoder().fit(rows, data.profile), rows


@pytest.fixture
def mixed() -> pl.DataFrame:
    n = 120
    rng = np.random.default_rng(1)
    return pl.DataFrame(
        {
            "real": rng.normal(size=n),
            "cents": (rng.uniform(1, 9, n)).round(2),
            "gaps": [None if k % 10 == 0 else k // 4 for k in range(n)],
            "open": [k % 3 == 0 for k in range(n)],
            "colour": [["red", "green", "blue"][k % 3] for k in range(n)],
            "shop": [f"shop {max(k % 60, k % 40)}" for k in range(n)],
            "when": [f"2024-01-{1 + k % 28:02d} {k % 24:02d}:00" for k in range(n)],
            "remark": [f"machine {k % 5} ran for {k} minutes without any trouble" for k in range(n)],
        }
    )


@pytest.mark.parametrize("name", ["t.csv", "t.parquet"])
def test_what_was_encoded_comes_back(tmp_path: Path, mixed: pl.DataFrame, name: str) -> None:
    encoder, rows = fitted(tmp_path, mixed, name)
    encoded = encoder.encode(rows)
    back = encoder.decode(encoded)
    assert back.columns == mixed.columns
    for column in ("cents", "gaps", "open", "colour", "when"):
        assert back[column].cast(pl.String).equals(rows[column].cast(pl.String)), column
    assert np.allclose(back["real"], mixed["real"])
    again, names = encoder.encode(back), np.array(encoder.columns)
    assert np.allclose(again[:, names != "remark"], encoded[:, names != "remark"], atol=1e-4)


def test_types_are_those_of_the_table(tmp_path: Path, mixed: pl.DataFrame) -> None:
    encoder, rows = fitted(tmp_path, mixed, "t.parquet")
    back = encoder.decode(encoder.encode(rows))
    text = ("colour", "shop", "when", "remark")
    expected = {"real": pl.Float64, "cents": pl.Float64, "gaps": pl.Int64, "open": pl.Boolean} | dict.fromkeys(
        text, pl.String
    )
    assert dict(back.schema) == expected


@pytest.mark.parametrize("stretch", [0.0, 0.5])
def test_noise_decodes_to_valid_cells(tmp_path: Path, mixed: pl.DataFrame, stretch: float) -> None:
    encoder, rows = fitted(tmp_path, mixed)
    encoded = encoder.encode(rows)
    wild = encoded + 3 * np.random.default_rng(2).normal(size=encoded.shape) * (encoded.std(axis=0) + 0.1)
    back = encoder.decode(wild, stretch=stretch)
    gaps, cents = back["gaps"].drop_nulls().to_numpy(), back["cents"].drop_nulls().to_numpy()
    assert gaps.dtype == np.int64 and gaps.min() >= 0 and gaps.max() <= 29 * (1 + stretch) + 1
    width = mixed["cents"].max() - mixed["cents"].min()
    assert mixed["cents"].min() - stretch * width - 0.01 <= cents.min() and cents.min() >= 0
    assert cents.max() <= mixed["cents"].max() + stretch * width + 0.01
    assert np.array_equal(cents.round(2), cents)
    assert set(back["open"].drop_nulls()) <= {"true", "false"}
    assert set(back["colour"].drop_nulls()) <= {"red", "green", "blue"}
    assert set(back["shop"].drop_nulls()) <= set(mixed["shop"])
    assert back["when"].drop_nulls().str.to_datetime("%Y-%m-%d %H:%M", strict=True).len() > 60
    known = set(" ".join(mixed["remark"]).split())
    assert set(" ".join(back["remark"].drop_nulls()).split()) <= known


def test_values_seen_elsewhere_widen_the_range(tmp_path: Path, mixed: pl.DataFrame) -> None:
    encoder, rows = fitted(tmp_path, mixed)
    far = encoder.encode(rows[:1].with_columns(pl.lit("500").alias("cents")))
    assert encoder.decode(far)["cents"][0] == mixed["cents"].max()
    assert encoder.decode(far, seen=far)["cents"][0] == 500


def test_hour_and_weekday_agree_with_the_date(tmp_path: Path, mixed: pl.DataFrame) -> None:
    encoder, rows = fitted(tmp_path, mixed)
    encoded = encoder.encode(rows[:7])
    first = list(encoder.columns).index("when")
    encoded[:, first] += 0.4  # the days move on, hour and weekday do not: the nearest such moment is the same
    assert encoder.decode(encoded)["when"].equals(rows["when"][:7])
    encoded[:, first + 1 : first + 3] = [0, -1]  # noon
    noon = encoder.decode(encoded)["when"].str.to_datetime("%Y-%m-%d %H:%M")
    assert set(noon.dt.hour()) == {12}
    assert noon.dt.weekday().equals(rows["when"][:7].str.to_datetime("%Y-%m-%d %H:%M").dt.weekday())


def test_missing_is_as_flagged(tmp_path: Path, mixed: pl.DataFrame) -> None:
    encoder, rows = fitted(tmp_path, mixed)
    encoded = encoder.encode(rows)
    encoded[:, -1] = np.arange(120) % 3
    back = encoder.decode(encoded, seed=5)
    assert back["gaps"].is_null().equals(rows["gaps"].is_null())
    assert np.array_equal(encoder.encode(back)[:, -1], encoded[:, -1])
    assert np.array_equal(back.drop("gaps").null_count().sum_horizontal()[0], encoded[:, -1].sum())


def test_equally_common_levels_are_drawn(tmp_path: Path, mixed: pl.DataFrame) -> None:
    encoder, rows = fitted(tmp_path, mixed)
    encoded = encoder.encode(rows)
    first, again, other = (encoder.decode(encoded, seed=seed)["shop"] for seed in (1, 1, 2))
    assert first.equals(again) and not first.equals(other)
    count = dict(mixed["shop"].value_counts().rows())
    assert [count[shop] for shop in first] == [count[shop] for shop in mixed["shop"]]
