"""Encoded columns, on rows whose encoding can be worked out by hand."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from agentad.errors import DetectorRefused, InputError
from agentad.modalities.table import TableData, TableEncoder, open_table
from agentad.modalities.table import encoder as encoder_module
from agentad.modalities.table.encoder import MISSING_CELLS


def opened(path: Path, frame: pl.DataFrame, name: str = "t.csv") -> TableData:
    frame.write_parquet(path / name) if name.endswith("parquet") else frame.write_csv(path / name)
    return open_table(path / name)


def fitted(path: Path, frame: pl.DataFrame, name: str = "t.csv") -> tuple[TableEncoder, pl.DataFrame]:
    data = opened(path, frame, name)
    rows = pl.concat(data.chunks())
    return TableEncoder().fit(rows, data.profile), rows


@pytest.fixture
def mixed() -> pl.DataFrame:
    n = 120
    rng = np.random.default_rng(1)
    return pl.DataFrame(
        {
            "row": np.arange(n),
            "real": rng.normal(size=n),
            "gaps": [None if k % 10 == 0 else k / 4 for k in range(n)],
            "open": [k % 3 == 0 for k in range(n)],
            "colour": [["red", "green", "blue"][k % 3] for k in range(n)],
            "shop": [f"shop {k % 60}" for k in range(n)],
            "when": [f"2024-01-{1 + k % 28:02d} {k % 24:02d}:00" for k in range(n)],
            "remark": [f"machine {k % 5} ran for {k} minutes without any trouble" for k in range(n)],
            "fixed": ["x"] * n,
            "label": [int(k == 7) for k in range(n)],
        }
    )


def test_layout(tmp_path: Path, mixed: pl.DataFrame) -> None:
    encoder, _ = fitted(tmp_path, mixed)
    names = list(dict.fromkeys(encoder.columns))
    layout = encoder.layout
    assert [names[source] for source in layout.source] == list(encoder.columns)
    told = zip(encoder.columns, layout.category.tolist(), layout.flag.tolist(), strict=True)
    assert list(dict.fromkeys(told)) == [
        ("real", -1, -1),
        ("gaps", -1, 2),
        ("gaps", 0, -1),  # its flag: missing or not
        ("open", 1, -1),
        ("colour", 2, -1),
        ("shop", -1, -1),
        ("when", -1, -1),
        ("remark", -1, -1),
        (MISSING_CELLS, -1, -1),
    ]


@pytest.mark.parametrize("name", ["t.csv", "t.parquet"])
def test_columns(tmp_path: Path, mixed: pl.DataFrame, name: str) -> None:
    encoder, rows = fitted(tmp_path, mixed, name)
    assert encoder.columns == (
        "real",
        *["gaps"] * 2,
        "open",
        *["colour"] * 4,
        "shop",
        *["when"] * 5,
        *["remark"] * 5,
        MISSING_CELLS,
    )
    encoded = encoder.encode(rows)
    assert encoded.shape == (120, len(encoder.columns)) and encoded.dtype == np.float32
    assert np.isfinite(encoded).all()


def test_csv_and_parquet_encode_alike(tmp_path: Path, mixed: pl.DataFrame) -> None:
    encoder, rows = fitted(tmp_path, mixed)
    typed = pl.concat(opened(tmp_path, mixed, "t.parquet").chunks())
    assert np.array_equal(encoder.encode(rows), encoder.encode(typed))


def test_values(tmp_path: Path, mixed: pl.DataFrame) -> None:
    encoder, rows = fitted(tmp_path, mixed)
    encoded = encoder.encode(rows)
    names = np.array(encoder.columns)
    assert np.allclose(encoded[:, 0], mixed["real"])
    gaps = np.array([np.nan if g is None else g for g in mixed["gaps"]])
    median = np.nanquantile(gaps, 0.5, method="nearest")
    assert np.allclose(encoded[:, 1], np.where(np.isnan(gaps), median, gaps), atol=0.3)
    assert np.array_equal(encoded[:, 2], np.isnan(gaps))
    assert np.array_equal(encoded[:, 3], mixed["open"])
    assert np.array_equal(encoded[:, names == "colour"].sum(0), [40, 40, 40, 0])
    assert np.allclose(encoded[:, names == "shop"], np.log(3 / 121))
    when = encoded[:, names == "when"]
    assert np.allclose(when[:3, 0], [0, 25 / 24, 50 / 24])
    assert np.allclose(when[6, 1:3], [1, 0], atol=1e-6)  # six o'clock
    assert np.allclose(when[:21, 3:5], when[7:28, 3:5], atol=1e-6)  # a week later
    assert not np.allclose(when[0, 3:5], when[1, 3:5], atol=0.1)
    assert not encoded[:, -1].any()


def test_unseen_values_at_scoring_time(tmp_path: Path, mixed: pl.DataFrame) -> None:
    encoder, rows = fitted(tmp_path, mixed)
    odd = rows[:1].with_columns(
        pl.lit(None, pl.String).alias("real"),
        pl.lit("oops").alias("gaps"),
        pl.lit("7").alias("open"),
        pl.lit("mauve").alias("colour"),
        pl.lit("nowhere").alias("shop"),
        pl.lit("").alias("remark"),
        pl.lit("inf").alias("when"),
    )
    encoded = encoder.encode(odd)[0]
    names = np.array(encoder.columns)
    assert encoded[0] == pytest.approx(float(np.quantile(mixed["real"], 0.5, method="nearest")), abs=0.05)
    assert encoded[2] == 1
    assert encoded[3] == 7
    assert encoded[names == "colour"].tolist() == [0, 0, 0, 10]
    assert encoded[names == "shop"] == pytest.approx(np.log(1 / 121))
    assert encoded[names == "remark"][:4].tolist() == [0, 0, 0, 0]
    assert encoded[-1] == 2
    assert encoder.actual(odd, 0, MISSING_CELLS) == "real, when"
    assert np.isfinite(encoded).all()


def test_other_order_and_spare_columns_change_nothing(tmp_path: Path, mixed: pl.DataFrame) -> None:
    encoder, rows = fitted(tmp_path, mixed)
    shuffled = rows.select(reversed(rows.columns)).with_columns(pl.lit("1").alias("spare"))
    assert np.array_equal(encoder.encode(shuffled), encoder.encode(rows))
    assert encoder.check(shuffled.columns) == ("Columns that the detector does not use: label, fixed, row, spare.",)


def test_missing_columns_are_named(tmp_path: Path, mixed: pl.DataFrame) -> None:
    encoder, rows = fitted(tmp_path, mixed)
    with pytest.raises(InputError) as error:
        encoder.encode(rows.drop("gaps", "row", "fixed", "label").rename({"colour": "Colour"}))
    assert str(error.value) == (
        "The table lacks columns that the detector learned from: gaps, colour. Columns it does not know: Colour. "
        "Rename or add columns so that the names agree."
    )
    with pytest.raises(InputError) as restored:
        TableEncoder.restore(*encoder.state()).check(["row", "fixed", "label"])
    assert "Columns it does not know" not in str(restored.value)  # they were there, though not used


def test_the_label_is_never_encoded(tmp_path: Path, mixed: pl.DataFrame) -> None:
    encoder, rows = fitted(tmp_path, mixed)
    flipped = rows.with_columns(pl.lit("1").alias("label"))
    assert np.array_equal(encoder.encode(flipped), encoder.encode(rows))


def test_words_in_the_columns_own_terms(tmp_path: Path, mixed: pl.DataFrame) -> None:
    encoder, rows = fitted(tmp_path, mixed)
    encoded = encoder.encode(rows)
    said = {name: encoder.expected(name, encoded[10]) for name in dict.fromkeys(encoder.columns)}
    real = mixed["real"][10]
    assert said == {
        "real": f"{np.float32(real):.6g}",
        "gaps": "missing",
        "open": "0",
        "colour": "green",
        "shop": "a value in 1.67% of the rows",
        "when": "2024-01-11 10:00",
        "remark": f"{len(mixed['remark'][10])} characters, 9 words",
        MISSING_CELLS: "none",
    }
    assert encoder.actual(rows, 10, "gaps") == "missing"
    assert encoder.actual(rows, 10, "colour") == "green"
    assert encoder.actual(rows, 10, MISSING_CELLS) == "none"


def test_state_survives_json(tmp_path: Path, mixed: pl.DataFrame) -> None:
    encoder, rows = fitted(tmp_path, mixed)
    arrays, settings = encoder.state()
    again = TableEncoder.restore(arrays, json.loads(json.dumps(settings)))
    assert again.columns == encoder.columns
    assert np.array_equal(again.encode(rows), encoder.encode(rows))
    assert again.expected("when", encoder.encode(rows)[3]) == encoder.expected("when", encoder.encode(rows)[3])


@pytest.mark.parametrize("settings", [{}, {"parts": [{"kind": "pickle"}], "notes": []}, {"parts": 3, "notes": []}])
def test_foreign_state_is_refused(settings: dict[str, object]) -> None:
    with pytest.raises(DetectorRefused, match=r"^The table encoder's settings are damaged or too new: "):
        TableEncoder.restore({}, settings)


def test_far_numbers_keep_their_differences(tmp_path: Path) -> None:
    nanoseconds = 1_700_000_000_000_000_000 + np.array([0, 40, 10, 20, 5]) * 10**9
    encoder, rows = fitted(tmp_path, pl.DataFrame({"t": nanoseconds}))
    encoded = encoder.encode(rows)[:, 0]
    assert np.allclose(np.diff(encoded), np.diff(nanoseconds - nanoseconds[0]), rtol=1e-5)
    assert encoder.expected("t", np.array([0.0, 0.0])) == "1.7e+18"


def test_huge_numbers_stay_finite(tmp_path: Path) -> None:
    encoder, rows = fitted(tmp_path, pl.DataFrame({"v": [1e300, -1e300, 0.5, 2.5, 1.5]}))
    assert encoder.encode(rows)[:, 0].tolist() == [np.float32(1e15), np.float32(-1e15), 0.5, 2.5, 1.5]


def test_numbers_of_wild_size_are_told_apart_by_magnitude(tmp_path: Path) -> None:
    wild = 10 ** np.linspace(-9, 12, 200)
    frame = pl.DataFrame({"up": wild, "down": -wild, "tame": np.linspace(1, 20, 200), "signed": wild - 1e3})
    encoder, rows = fitted(tmp_path, frame)
    encoded = encoder.encode(rows)
    step = np.log(10) * 21 / 199
    assert np.allclose(np.diff(encoded[:, 0]), step, rtol=1e-3)
    assert np.array_equal(encoded[:, 1], -encoded[:, 0])
    assert np.allclose(encoded[:, 2], frame["tame"]) and encoded[-1, 3] == np.float32(1e12 - 1e3)
    odd = rows[:3].with_columns(pl.Series("up", ["1e-20", "0", "-5"]), pl.Series("down", ["1e-20", "1e300", "-1e-300"]))
    far = encoder.encode(odd)
    assert np.isfinite(far).all()
    assert (far[:, 0] < encoded[:, 0].min() - 10 * step).all()  # beyond all that was seen, the impossible furthest
    assert far[0, 0] > far[1, 0] > far[2, 0]
    assert float(encoder.expected("up", encoded[100])) == pytest.approx(wild[100], rel=1e-4)
    back = encoder.decode(encoded)
    assert np.allclose(back["up"], wild, rtol=1e-4) and np.allclose(back["down"], -wild, rtol=1e-4)


def test_a_level_never_seen_is_further_out_than_a_rare_one(tmp_path: Path) -> None:
    colours = ["red", "green"] * 60
    never, rows = fitted(tmp_path, pl.DataFrame({"colour": colours, "v": np.arange(120) / 8}))
    rare, _ = fitted(tmp_path, pl.DataFrame({"colour": [*colours[:-1], "blue"], "v": np.arange(120) / 8}))
    mauve = rows[:1].with_columns(colour=pl.lit("mauve"))
    assert never.encode(mauve)[0, :3].tolist() == [0, 0, 10]
    assert rare.encode(mauve)[0, :3].tolist() == [0, 0, 1]
    assert never.decode(never.encode(mauve))["colour"][0] in ("red", "green")


def test_numbers_with_commas(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a;b\n" + '1,5;"1,234,567"\n2,5;"7,000"\n3,25;12\n')
    data = open_table(tmp_path / "t.csv")
    rows = next(data.chunks())
    assert TableEncoder().fit(rows, data.profile).encode(rows)[:, :2].tolist() == [
        [1.5, 1234567],
        [2.5, 7000],
        [3.25, 12],
    ]


def test_rare_words_stand_out(tmp_path: Path) -> None:
    texts = [f"pump {k} runs well and stays cool today" for k in range(60)] + ["pump 3 zzyzx and stays cool today"]
    encoder, _ = fitted(tmp_path, pl.DataFrame({"remark": texts}))
    usual = pl.DataFrame({"remark": ["pump 3 runs well and stays cool today", "pump 3 qqq well and stays cool today"]})
    encoded = encoder.encode(usual)
    assert encoded[1, 3] > encoded[0, 3] and encoded[1, 2] > encoded[0, 2]
    assert encoded[1, 3] == pytest.approx(np.log(62))


def test_too_wide_a_table(tmp_path: Path, mixed: pl.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder_module, "MAX_WIDTH", 8)
    encoder, rows = fitted(tmp_path, mixed)
    assert encoder.columns == ("real", "gaps", "gaps", "open", "colour", "shop", MISSING_CELLS)
    assert encoder.encode(rows).shape == (120, 7)
    assert encoder.notes == (
        "The table is too wide for 8 encoded columns: categories count by how common they are, "
        "and its last 2 columns are left out.",
    )


def test_nothing_to_learn_from(tmp_path: Path) -> None:
    data = opened(tmp_path, pl.DataFrame({"row_id": np.arange(40), "same": ["x"] * 40}))
    with pytest.raises(InputError) as error:
        TableEncoder().fit(next(data.chunks()), data.profile)
    assert str(error.value) == (
        f"{tmp_path}/t.csv has no column that could tell rows apart: row_id is identifier, same is constant."
    )


def test_a_small_file_means_the_same_as_a_large_one(tmp_path: Path, mixed: pl.DataFrame) -> None:
    encoder, rows = fitted(tmp_path, mixed)
    few = opened(tmp_path, mixed[3:5], "few.csv")
    assert np.array_equal(encoder.encode(next(few.chunks())), encoder.encode(rows[3:5]))
