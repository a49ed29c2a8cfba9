import json

import numpy as np
import pytest

from agentad import assets
from agentad.bench import bench_tables, few_shot, suite
from agentad.bench.few_shot import FewShot, chosen_generator
from agentad.bench.methods import names
from agentad.detectors.closed_form_diffusion import ClosedFormDiffusion
from agentad.errors import InputError
from agentad.flow.card import Requires
from agentad.generators.transplanted import TransplantedRows
from agentad.tools import tables as road
from agentad.tools.cards import load_cards
from agentad.tools.road import silent

ALWAYS = ["unsupervised", "few-real", "gaussian-rows"]


@pytest.fixture
def hidden(tmp_path):
    """A table whose 24 anomalies lie among the normal rows: where a and b are both near 1. Only labels tell."""
    root = tmp_path / "hidden"
    root.mkdir()
    rng = np.random.default_rng(0)
    normal = rng.normal(size=(240, 4))
    normal[(normal[:, :2] > 0.6).all(axis=1), 0] *= -1
    anomalous = np.hstack([rng.normal(1, 0.1, size=(24, 2)), rng.normal(size=(24, 2))])
    x, y = np.concatenate([normal, anomalous]), np.repeat([0, 1], [240, 24])
    np.savez(root / "hidden.npz", X=x, y=y)
    return root


@pytest.fixture(autouse=True)
def quick(tmp_path, monkeypatch):
    """A user's own cards: fewer trees, and a generator that trains for a moment."""
    own = tmp_path / ".agentad" / "tools"
    own.mkdir(parents=True)
    for tool, fewer in (
        ("few-label-head", {"default: 200": "default: 50"}),
        ("guided-rows", {"default: 700": "default: 20", "default: 250": "default: 10"}),
    ):
        card = assets.read("tools", f"{tool}.md")
        for usual, few in fewer.items():
            card = card.replace(usual, few)
        (own / f"{tool}.md").write_text(card, encoding="utf-8")
    monkeypatch.chdir(tmp_path)


def _case(path, shots=(1, 5), seed=0):
    return FewShot(shots, 1000).case(road.look(path), seed, None, silent)


def test_labels_find_what_hides_among_normal_rows(hidden):
    found = bench_tables(hidden, protocol="few-shot", shots=(1, 5), detectors="neighbour-rows", seeds=2)
    methods = ["neighbour-rows", *ALWAYS]
    assert [(row["detector"], row["shots"], row["seed"]) for row in found["rows"]] == [
        (name, shots, seed) for name in methods for shots in (1, 5) for seed in (0, 1)
    ]
    assert [(entry["detector"], entry["shots"]) for entry in found["summary"]] == [
        (name, shots) for shots in (1, 5) for name in methods
    ]
    ap = {(entry["detector"], entry["shots"]): entry["ap"] for entry in found["summary"]}
    assert ap["unsupervised", 1] == ap["unsupervised", 5] < 0.25
    assert ap["few-real", 5] > 0.7
    assert (found["suite"], found["protocol"], found["shots"]) == ("tables", "few-shot", [1, 5])
    json.dumps(found, allow_nan=False)


def test_within_the_same_shots_methods_are_compared_by_average_precision(hidden):
    found = bench_tables(hidden, protocol="few-shot", shots=(1, 5), detectors="uniform-rows")
    for shots in (1, 5):
        ap = {row["detector"]: row["ap"] for row in found["rows"] if row["shots"] == shots}
        entries = {entry["detector"]: entry for entry in found["summary"] if entry["shots"] == shots}
        assert min(entries, key=lambda name: entries[name]["rank"]) == max(ap, key=ap.get)
        for name, entry in entries.items():
            assert set(entry["wins_vs"]) == set(ALWAYS) - {name}
            for other, against in entry["wins_vs"].items():
                assert (against["wins"], against["losses"]) == (ap[name] > ap[other], ap[name] < ap[other])


def test_costs_tell_inventing_from_teaching(hidden):
    found = bench_tables(hidden, protocol="few-shot", shots=(5,), detectors="uniform-rows")
    rows = {row["detector"]: row for row in found["rows"]}
    for row in rows.values():
        assert row["fit_s"] == pytest.approx(row["detector_s"] + row["invent_s"] + row["head_s"], abs=0.1)
        assert row["detector_s"] == rows["few-real"]["detector_s"] > 0
    assert {name: (row["invent_s"] > 0, row["head_s"] > 0) for name, row in rows.items()} == {
        "uniform-rows": (True, True),
        "unsupervised": (False, False),
        "few-real": (False, True),
        "gaussian-rows": (True, True),
    }
    for entry in found["summary"]:
        row = rows[entry["detector"]]
        assert all(entry[key] == pytest.approx(row[key], abs=1e-3) for key in ("detector_s", "invent_s", "head_s"))


def test_the_head_learns_from_as_many_real_and_invented_rows_as_it_should(hidden, monkeypatch):
    seen = []
    fit = few_shot.FewLabelHead.fit

    def watched(self, normal, real, invented=None, *, seed=0):
        seen.append((len(normal.x), len(real.x), 0 if invented is None else len(invented.x), seed))
        return fit(self, normal, real, invented, seed=seed)

    monkeypatch.setattr(few_shot.FewLabelHead, "fit", watched)
    bench_tables(hidden, protocol="few-shot", shots=(1, 5), detectors="gaussian-rows")
    assert seen == [(120, 1, 300, 0), (120, 1, 0, 0), (120, 5, 300, 0), (120, 5, 0, 0)]


def test_the_detector_is_fitted_once_for_a_table_and_a_seed(hidden, monkeypatch):
    fitted, fit = [], ClosedFormDiffusion.fit
    monkeypatch.setattr(ClosedFormDiffusion, "fit", lambda *a, **k: fitted.append(k["seed"]) or fit(*a, **k))
    bench_tables(hidden, protocol="few-shot", shots=(1, 5), detectors="smote-rows", seeds=2)
    assert fitted == [0, 1]


def test_default_is_what_the_rules_choose_and_is_done_once(hidden, monkeypatch):
    fitted, fit = [], TransplantedRows.fit
    monkeypatch.setattr(TransplantedRows, "fit", lambda *a, **k: fitted.append(len(a[2])) or fit(*a, **k))
    found = bench_tables(hidden, protocol="few-shot", shots=(1, 2), detectors="default,transplanted-rows")
    rows = {(row["detector"], row["shots"]): row for row in found["rows"]}
    for shots in (1, 2):
        assert rows["default", shots]["tool"] == "transplanted-rows"
        assert {**rows["default", shots], "detector": ""} == {**rows["transplanted-rows", shots], "detector": ""}
    assert fitted == [1, 2]
    made_of = {name: (row["tool"], row["diffusion"]) for (name, _), row in rows.items()}
    assert made_of == {
        "default": ("transplanted-rows", False),
        "transplanted-rows": ("transplanted-rows", False),
        "unsupervised": ("closed-form-diffusion", True),
        "few-real": ("few-label-head", False),
        "gaussian-rows": ("gaussian-rows", False),
    }


def test_the_rules_see_the_rows_to_learn_from_and_no_more(hidden):
    case, cards = _case(hidden / "hidden.npz"), load_cards()
    assert chosen_generator(case, 1, cards).tool == "transplanted-rows"
    needy = cards["transplanted-rows"].model_copy(update={"requires": Requires(items=len(case.train) + 1)})
    assert chosen_generator(case, 1, {**cards, "transplanted-rows": needy}).tool == "guided-rows"


def test_all_is_the_default_and_every_generator():
    generators = [
        card.name for card in load_cards().values() if card.kind == "generator" and "table" in card.modalities
    ]
    found = names("all", "table", "normal", ALWAYS, kind="generator")
    assert found == ("default", *generators, "unsupervised", "few-real")


def test_finished_rows_are_not_measured_again(hidden, tmp_path, monkeypatch):
    options = {"protocol": "few-shot", "shots": (1, 2), "detectors": "few-real", "out": tmp_path / "rows.jsonl"}
    whole = bench_tables(hidden, **options)
    lines = options["out"].read_text(encoding="utf-8").splitlines(keepends=True)
    options["out"].write_text("".join(lines[:4]), encoding="utf-8")
    done, scored = [], suite._scored
    monkeypatch.setattr(suite, "_scored", lambda method: done.append(method.same) or scored(method))
    again = bench_tables(hidden, **options)
    assert done == ["unsupervised", "2 gaussian-rows []"]
    metrics = [[(row["detector"], row["shots"], row["ap"]) for row in found["rows"]] for found in (whole, again)]
    assert metrics[0] == metrics[1]
    monkeypatch.setattr(road, "look", None)
    assert bench_tables(hidden, **options) == again


def test_other_shots_judge_other_rows_and_are_another_bench(hidden, tmp_path):
    out = tmp_path / "rows.jsonl"
    first, second = (
        bench_tables(hidden, protocol="few-shot", shots=shots, detectors="few-real", out=out)
        for shots in ((1,), (1, 5))
    )
    assert [{row["anomalous"] for row in found["rows"]} for found in (first, second)] == [{23}, {19}]


def test_one_failure_is_a_row_with_its_reason(hidden, monkeypatch):
    def no(generator, *args, **options):
        if options["tool"] == "smote-rows" and len(options["anomalous"]) == 1:
            raise ValueError("no such luck")
        return invent(generator, *args, **options)

    invent = few_shot.generate_rows
    monkeypatch.setattr(few_shot, "generate_rows", no)
    found = bench_tables(hidden, protocol="few-shot", shots=(1, 2), detectors="smote-rows")
    failed = {(row["detector"], row["shots"]): row["error"] for row in found["rows"] if "error" in row}
    assert failed == {("smote-rows", 1): "ValueError: no such luck"}
    counts = {(entry["detector"], entry["shots"]): entry["failed"] for entry in found["summary"]}
    assert counts == {
        (name, shots): int((name, shots) in failed) for name in ("smote-rows", *ALWAYS) for shots in (1, 2)
    }


def test_a_table_with_too_few_anomalies_is_skipped_with_the_reason(hidden):
    found = bench_tables(hidden, protocol="few-shot", shots=(1, 15))
    assert found["rows"] == []
    assert found["skipped"] == [
        {"path": "hidden", "reason": "24 anomalies; 15 to learn from and 10 to judge are needed"}
    ]


def test_copies_do_not_count_as_anomalies_left_to_judge(tmp_path):
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(size=(60, 2)), np.repeat(rng.normal(9, 1, size=(3, 2)), 8, axis=0)])
    np.savez(tmp_path / "copies.npz", X=x, y=np.repeat([0, 1], [60, 24]))
    found = bench_tables(tmp_path, protocol="few-shot", shots=(2,), detectors="few-real")
    assert {row["error"] for row in found["rows"]} == {
        "2 different anomalies to learn from and 8 others to judge after the split, at least 2 and 10 are needed"
    }


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"protocol": "semi", "shots": (1, 5)}, "shots 1,5: semi learns from no labelled anomaly; use few-shot"),
        ({"shots": (1, 1)}, "shots 1,1: give different whole numbers above 0, such as 1,5,10"),
        ({"shots": (0, 5)}, "shots 0,5: give different whole numbers above 0, such as 1,5,10"),
        ({"shots": ()}, "shots : give different whole numbers above 0, such as 1,5,10"),
        (
            {"detectors": "memory-bank"},
            "detector 'memory-bank': no such detector here; there are default, gaussian-rows, guided-rows, "
            "neighbour-rows, smote-rows, transplanted-rows, uniform-rows, unsupervised, few-real",
        ),
    ],
)
def test_bad_options_are_refused(hidden, options, message):
    with pytest.raises(InputError) as caught:
        bench_tables(hidden, **{"protocol": "few-shot", **options})
    assert str(caught.value) == message
