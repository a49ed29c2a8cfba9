import numpy as np
import polars as pl
import pytest

from agentad.errors import Infeasible, InputError
from agentad.flow import Beyond, Derived, Fixed, Limit, OneOf, Synthesis
from agentad.generators import controls, generate_rows
from agentad.generators.guided import GuidedRows
from agentad.generators.neighbour import NeighbourRows
from agentad.generators.transplanted import TransplantedRows
from agentad.modalities.table.conditions import computed

MAKERS = {
    "guided-rows": lambda: GuidedRows(normal_steps=60, mixed_steps=30, width=32),
    "neighbour-rows": NeighbourRows,
    "transplanted-rows": TransplantedRows,
    "smote-rows": controls.SmoteRows,
    "gaussian-rows": controls.GaussianRows,
    "uniform-rows": controls.UniformRows,
}
CONDITIONS = (
    Limit(column="price", low=500, exclusive=True),
    Limit(column="paid", low=22, high=5, of="hour"),
    OneOf(column="channel", values=("web", "shop")),
    Fixed(column="trusted", value="no"),
    Derived(column="total", expression="price * quantity"),
)


def invent(payments, tool, k=8, n=40, **options):
    normal, anomalous, encoder, data = payments
    few = anomalous.take(np.arange(k))
    columns = data.profile.table.columns
    return generate_rows(
        MAKERS[tool](), encoder, normal=normal, anomalous=few, columns=columns, n=n, tool=tool, **options
    )


def numbers(frame, name):
    return frame[name].cast(pl.Float64).to_numpy()


@pytest.mark.parametrize("tool", MAKERS)
def test_rows_are_valid(payments, tool):
    _, _, encoder, data = payments
    made = invent(payments, tool)
    frame = made.rows.frame
    assert frame.columns == list(data.columns) and len(frame) == 40
    quantity, price = numbers(frame, "quantity"), numbers(frame, "price")
    assert frame["quantity"].dtype == pl.Int64 and (quantity >= 0).all() and (quantity <= 8).all()
    assert np.array_equal(price.round(2), price) and (price >= 0).all()
    assert price.max() <= 90 + 0.5 * 90
    assert set(frame["channel"]) <= {"web", "shop", "phone"}
    assert set(frame["trusted"]) <= {"yes", "no"}
    moments = frame["paid"].str.to_datetime("%Y-%m-%d %H:%M", strict=True)
    assert moments.null_count() == 0
    assert set(frame["currency"]) == {"EUR"}
    assert frame["payment_id"].null_count() == frame["label"].null_count() == 40
    assert np.array_equal(encoder.encode(frame), made.encoded)


@pytest.mark.parametrize("tool", MAKERS)
def test_no_row_is_a_real_one(payments, tool):
    normal, anomalous, _, _ = payments
    made = invent(payments, tool)
    used = [name for name in normal.frame.columns if name not in ("payment_id", "label")]
    real = {tuple(row) for row in normal.joined(anomalous).frame.select(used).rows()}
    invented = made.rows.frame.select(pl.col(used).cast(pl.String)).rows()
    assert not real & set(invented)
    assert min(row.distance_ratio for row in made.synthesis.rows) > 0.01


@pytest.mark.parametrize("tool", MAKERS)
def test_every_row_has_an_origin(payments, tool):
    normal, anomalous, _, _ = payments
    synthesis = invent(payments, tool, k=5, seed=3).synthesis
    assert [row.id for row in synthesis.rows] == [f"synthetic-{i}" for i in range(40)]
    assert (synthesis.tool, synthesis.seed) == (tool, 3)
    parents = {row.anomaly for row in synthesis.rows}
    assert parents == ({None} if tool == "uniform-rows" else set(anomalous.id[:5]))
    given = {row.normal for row in synthesis.rows}
    assert given - {None} <= set(normal.id)
    assert (None in given, len(given) > 1) == {
        "neighbour-rows": (False, True),
        "transplanted-rows": (True, True),
    }.get(tool, (True, False))
    assert {row.nearest for row in synthesis.rows} <= {*normal.id, *anomalous.id[:5]}
    assert Synthesis.model_validate_json(synthesis.model_dump_json()) == synthesis


@pytest.mark.parametrize("tool", MAKERS)
def test_same_seed_same_rows(payments, tool):
    first, again, other = (invent(payments, tool, n=10, seed=seed) for seed in (4, 4, 5))
    assert first.rows.frame.equals(again.rows.frame) and first.synthesis == again.synthesis
    assert not first.rows.frame.equals(other.rows.frame)


@pytest.mark.parametrize("tool", MAKERS)
def test_conditions_are_met_even_beyond_the_range(payments, tool):
    made = invent(payments, tool, conditions=CONDITIONS)
    frame = made.rows.frame
    price = numbers(frame, "price")
    assert (price > 500).all() and np.array_equal(price.round(2), price) and len(set(price)) > 20
    hours = frame["paid"].str.to_datetime("%Y-%m-%d %H:%M").dt.hour().to_numpy()
    assert ((hours >= 22) | (hours < 5)).all() and len(set(hours)) > 3
    assert set(frame["channel"]) == {"web", "shop"} and set(frame["trusted"]) == {"no"}
    assert np.allclose(numbers(frame, "total"), price * numbers(frame, "quantity"), atol=0.006)
    assert made.synthesis.conditions == CONDITIONS


def test_too_high_is_above_the_quantile_of_the_real_rows(payments):
    normal, anomalous, _, _ = payments
    bound = np.quantile(numbers(normal.joined(anomalous).frame, "price"), 0.95)
    made = invent(payments, "neighbour-rows", conditions=(Beyond(column="price", side="above", quantile=0.95),))
    assert (numbers(made.rows.frame, "price") > bound).all()


def test_without_any_anomaly(payments):
    made = invent(payments, "neighbour-rows", k=0)
    ratio = np.array([row.distance_ratio for row in made.synthesis.rows])
    assert np.median(ratio) > 1.2


@pytest.mark.parametrize("tool", ["guided-rows", "transplanted-rows", "smote-rows", "gaussian-rows"])
def test_a_generator_that_needs_an_anomaly_says_so(payments, tool):
    with pytest.raises(InputError) as caught:
        invent(payments, tool, k=0)
    assert str(caught.value) == f"{tool} needs at least 1 real anomalies, got 0; neighbour-rows needs none"


def test_one_anomaly_is_enough(payments):
    for tool in MAKERS:
        assert len(invent(payments, tool, k=1, n=12).rows) == 12


def test_what_cannot_be_found_is_infeasible(payments):
    conditions = (Derived(column="total", expression="price / (quantity - quantity)"), Fixed(column="price", value=3))
    with pytest.raises(Infeasible) as caught:
        invent(payments, "gaussian-rows", n=5, conditions=conditions)
    assert str(caught.value) == (
        "gaussian-rows found 0 of 5 rows that differ from every real one and meet the conditions; "
        "ask for fewer, or for weaker conditions"
    )


def test_missing_cells_are_invented_too(payments):
    frame = invent(payments, "neighbour-rows", n=80).rows.frame
    assert 0.05 < frame["note"].null_count() / 80 < 0.6


def test_a_derived_integer_without_a_value_is_missing(payments):
    frame = payments[0].frame[:3].with_columns(pl.lit(None, pl.String).alias("price"))
    cells = computed(frame, Derived(column="quantity", expression="price * 2"), payments[2])
    assert cells.dtype == pl.Int64 and cells.null_count() == 3
