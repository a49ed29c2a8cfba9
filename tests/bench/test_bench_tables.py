import json
import shutil

import numpy as np
import pytest

from agentad import assets
from agentad.bench import baselines, bench_tables, suite
from agentad.bench.methods import names
from agentad.bench.table_suite import Tables, thinned
from agentad.errors import InputError
from agentad.tools import tables as road
from agentad.tools.cards import load_cards
from agentad.tools.road import silent

CLASSICAL = list(baselines.installed())


def _by_detector(document):
    return {entry["detector"]: entry for entry in document["summary"]}


def test_anomalies_far_from_everything_are_found_by_everything(tables):
    methods = ["default", "closed-form-diffusion", "memory-bank", "self-cleaning", *CLASSICAL]
    found = bench_tables(tables, detectors=",".join(methods))
    assert [entry["detector"] for entry in found["summary"]] == methods
    assert [(row["dataset"], row["detector"]) for row in found["rows"]] == [
        (data, name) for data in ("far", "wide") for name in methods
    ]
    assert {(row["auroc"], row["ap"]) for row in found["rows"]} == {(1.0, 1.0)}
    # half of the 120 normal rows to learn from, the others and the 6 anomalies judged
    assert {(row["rows"], row["used"], row["learned"], row["judged"], row["anomalous"]) for row in found["rows"]} == {
        (126, 126, 60, 66, 6)
    }
    assert found["skipped"] == [{"path": "index", "reason": "no label column with normal and anomalous rows"}]
    assert (found["suite"], found["protocol"], found["best_baseline"]) == ("tables", "semi", "knn1")
    json.dumps(found, allow_nan=False)


def test_all_is_the_default_and_every_card_that_fits():
    cards = load_cards().values()
    fitting = [c.name for c in cards if c.kind == "detector" and "table" in c.modalities]
    assert names("all", "table", "normal", ["knn1"]) == ("default", *fitting, "knn1")


def test_a_name_that_a_baseline_and_a_tool_share_is_the_baseline(tables):
    found = bench_tables(tables / "far.npz", detectors="isolation-forest")
    assert [row["tool"] for row in found["rows"] if row["detector"] == "isolation-forest"] == [None]


def test_default_is_what_the_rules_choose_and_costs_what_it_costs(tables):
    semi, mixed = (bench_tables(tables, protocol=p) for p in ("semi", "contaminated"))
    assert {row["tool"] for row in semi["rows"] if row["detector"] == "default"} == {"closed-form-diffusion"}
    assert {row["tool"] for row in mixed["rows"] if row["detector"] == "default"} == {"robust-fusion"}
    assert {row["tool"] for row in semi["rows"] if row["detector"] in CLASSICAL} == {None}
    assert _by_detector(semi)["default"]["diffusion"]
    assert not _by_detector(mixed)["default"]["diffusion"]
    for row in semi["rows"]:
        assert row["fit_s"] >= 0
        assert row["peak_mb"] > 10


def test_the_same_work_is_done_once(tables):
    found = bench_tables(tables / "far.npz", detectors="default,closed-form-diffusion")
    default, tool = found["rows"][:2]
    assert {**default, "detector": ""} == {**tool, "detector": ""}
    assert found["rows"][0]["dataset"] == "far"


def test_contaminated_learns_from_all_rows_and_judges_them_all_without_a_label(tables):
    with np.load(tables / "far.npz") as arrays:
        x, y = arrays["X"], arrays["y"]
    np.savez(tables / "shuffled.npz", X=x, y=np.roll(y, 60))
    cases = [
        Tables("contaminated", 1000).case(road.look(tables / name), 0, None, silent)
        for name in ("far.npz", "shuffled.npz")
    ]
    assert not np.array_equal(cases[0].labels, cases[1].labels)
    for case in cases:
        np.testing.assert_array_equal(case.train, np.arange(126))
        np.testing.assert_array_equal(case.test, np.arange(126))
        np.testing.assert_array_equal(case.x, cases[0].x)
        assert case.plan == cases[0].plan


def test_semi_never_learns_from_a_judged_or_anomalous_row(tables):
    data = road.look(tables / "far.npz")
    cases = [Tables("semi", 1000).case(data, seed, None, silent) for seed in (0, 1)]
    for case in cases:
        assert set(data.items.label[case.train]) == {0}
        assert not set(case.train) & set(case.test)
    assert not np.array_equal(cases[0].train, cases[1].train)


def test_equal_rows_stay_on_one_side(tmp_path):
    x = np.repeat(np.random.default_rng(0).normal(size=(40, 2)), 3, axis=0)
    np.savez(tmp_path / "thrice.npz", X=x, y=np.repeat([0, 1], [105, 15]))
    case = Tables("semi", 1000).case(road.look(tmp_path / "thrice.npz"), 0, None, silent)
    assert not {tuple(row) for row in x[case.train]} & {tuple(row) for row in x[case.test]}


def test_long_tables_are_thinned_by_class(tables):
    found = bench_tables(tables / "far.npz", max_rows=63)
    assert {(r["rows"], r["used"], r["learned"], r["judged"], r["anomalous"]) for r in found["rows"]} == {
        (126, 63, 30, 33, 3)
    }


def test_thinning_keeps_shares_and_is_always_the_same():
    label = np.repeat([0, 1, -1], [900, 2, 98])
    chosen = thinned(label, 100)
    assert np.unique(label[chosen], return_counts=True)[1].tolist() == [10, 90, 1]
    assert (np.diff(chosen) > 0).all()
    np.testing.assert_array_equal(chosen, thinned(label, 100))
    np.testing.assert_array_equal(thinned(label, 1000), np.arange(1000))


def _forbid(monkeypatch):
    def never(*args):
        raise AssertionError("this was finished")

    monkeypatch.setattr(road, "look", never)
    monkeypatch.setattr(suite, "_scored", never)


def test_finished_rows_are_not_measured_again(tables, monkeypatch):
    first = bench_tables(tables, seeds=2)
    (tables / "index.csv").unlink()  # what is no data set is looked at every time
    second = bench_tables(tables, seeds=2)
    _forbid(monkeypatch)
    assert bench_tables(tables, seeds=2) == second
    assert [row["seed"] for row in second["rows"][:2]] == [0, 1]
    assert len(second["rows"]) == len(first["rows"]) == 2 * 2 * (1 + len(CLASSICAL))


def test_another_card_is_another_bench(tables, tmp_path):
    first = bench_tables(tables / "far.npz", detectors="self-cleaning")
    own = tmp_path / ".agentad" / "tools"
    own.mkdir(parents=True)
    card = assets.read("tools", "self-cleaning.md").replace("default: 0.7", "default: 0.6")
    with pytest.MonkeyPatch.context() as elsewhere:
        elsewhere.chdir(tmp_path)
        (own / "self-cleaning.md").write_text(card, encoding="utf-8")
        second = bench_tables(tables / "far.npz", detectors="self-cleaning")
    assert second["kept"] != first["kept"]


def test_rows_may_be_kept_beside_the_data(tables, monkeypatch):
    (tables / "index.csv").unlink()
    first = bench_tables(tables, out=tables / "rows.jsonl")
    _forbid(monkeypatch)
    assert bench_tables(tables, out=tables / "rows.jsonl") == first


def test_only_what_is_missing_is_measured(tables, tmp_path, monkeypatch):
    out = tmp_path / "rows.jsonl"
    whole = bench_tables(tables / "far.npz", out=out)
    lines = out.read_text(encoding="utf-8").splitlines(keepends=True)
    out.write_text("".join(lines[:3]) + lines[3][:30], encoding="utf-8")
    done, scored = [], suite._scored
    monkeypatch.setattr(suite, "_scored", lambda method: done.append(method.same) or scored(method))
    again = bench_tables(tables / "far.npz", out=out)
    assert done == CLASSICAL[2:]
    metrics = [[(row["detector"], row["auroc"], row["ap"]) for row in found["rows"]] for found in (whole, again)]
    assert metrics[0] == metrics[1]
    assert again["rows"][:3] == whole["rows"][:3]


def test_a_failure_is_a_row_and_the_next_bench_tries_again(tables, monkeypatch):
    (tables / "broken.npz").write_bytes(b"PK not a zip")

    def no(z, groups, seed):
        raise ValueError("no such luck")

    with monkeypatch.context() as broken:
        broken.setitem(baselines.BASELINES, "lof", no)
        found = bench_tables(tables)
    failed = {(row["dataset"], row["detector"]): row["error"] for row in found["rows"] if "error" in row}
    assert {data for data, _ in failed} == {"broken", "far", "wide"}
    assert len([1 for data, _ in failed if data == "broken"]) == 1 + len(CLASSICAL)
    assert failed["far", "lof"] == "ValueError: no such luck"
    assert "broken.npz" in failed["broken", "default"]
    assert _by_detector(found)["knn1"]["auroc"] == 1.0
    assert _by_detector(found)["lof"]["failed"] == 3
    (tables / "broken.npz").unlink()
    again = bench_tables(tables)
    assert not [row for row in again["rows"] if "error" in row]


def test_too_few_normal_rows_are_a_failure_that_says_so(tmp_path):
    np.savez(tmp_path / "two.npz", X=np.arange(8.0).reshape(4, 2), y=[0, 0, 1, 1])
    found = bench_tables(tmp_path)
    assert {row["error"] for row in found["rows"]} == {
        "1 normal row(s) to learn from after the split, at least 2 are needed"
    }


def test_one_name_for_two_files_keeps_their_endings(tables):
    shutil.copy(tables / "wide.csv", tables / "far.csv")
    assert list(Tables("semi", 10).datasets(tables)) == ["far.csv", "far.npz", "index", "wide"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"detectors": "knn1,nope"}, "detector 'nope': no such detector here; there are default, "),
        ({"detectors": "empirical-denoiser", "protocol": "contaminated"}, "detector 'empirical-denoiser': not for "),
        ({"detectors": " , "}, "no detector named; give all, or some of default, "),
        ({"seeds": 0}, "seeds 0: give at least 1"),
        ({"max_rows": 1}, "max-rows 1: give at least 2"),
    ],
)
def test_bad_options_are_refused(tables, options, message):
    with pytest.raises(InputError) as caught:
        bench_tables(tables, **options)
    assert str(caught.value).startswith(message)


def test_a_folder_without_tables_is_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no data set for `bench tables`"):
        bench_tables(tmp_path / "empty")
