import json

import pytest
from typer.testing import CliRunner

from agentad.bench import bench_gate
from agentad.bench.gate import WORLDS
from agentad.cli.app import app
from agentad.errors import InputError


def test_useless_candidates_stay_out_and_useful_ones_get_in():
    found = bench_gate(trials=20, anomalies=(25,), worlds=("rescaled", "noise-added", "blind-spot"))
    shares = {entry["world"]: (entry["truth"], entry["most"]) for entry in found["summary"]}
    assert shares["rescaled"] == ("useless", 0.0)
    assert shares["noise-added"][1] <= 0.1
    assert shares["blind-spot"][0] == "useful"
    assert shares["blind-spot"][1] >= 0.7


def test_three_anomalies_never_suffice():
    found = bench_gate(trials=2, anomalies=(3,), rounds=2)
    assert {row["adopted"] for row in found["rows"]} == {0.0}
    assert [row["world"] for row in found["rows"]] == list(WORLDS)


def test_maps_can_be_tried():
    (row,) = bench_gate(trials=4, anomalies=(25,), metric="pixel_ap", worlds=("blind-spot",))["rows"]
    assert row["adopted"] > 0
    assert (row["metric"], row["anomalies"], row["normals"], row["trials"]) == ("pixel_ap", 25, 40, 4)
    assert row["interval"][0] < row["adopted"] <= row["interval"][1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"worlds": ("mars",)}, f"worlds mars: there are {', '.join(WORLDS)}"),
        ({"metric": "macro_ap"}, "metric 'macro_ap': give one of auroc, ap, pixel_auroc, pixel_ap, aupro"),
        ({"anomalies": (0,)}, "trials, rounds, anomalies and normals: give whole numbers of at least 1"),
    ],
)
def test_what_cannot_be_simulated_is_refused(options, message):
    with pytest.raises(InputError) as caught:
        bench_gate(**options)
    assert str(caught.value) == message


def test_the_command():
    options = ["bench", "gate", "--trials", "2", "--anomalies", "5,6", "--worlds", "rescaled,two-looks"]
    document = json.loads(CliRunner().invoke(app, [*options, "--json"]).stdout)
    assert document["suite"] == "gate"
    assert [(row["world"], row["anomalies"]) for row in document["rows"]] == [
        *(("rescaled", 5), ("rescaled", 6), ("two-looks", 5), ("two-looks", 6)),
    ]
    lines = CliRunner().invoke(app, options).stdout.splitlines()
    assert lines[0].split() == ["world", "truth", "5", "of", "45", "6", "of", "46"]
    assert lines[1].split() == ["rescaled", "useless", "0.000", "0.000"]
    assert lines[-1] == "At most 0.05 of the useless ones should be."
