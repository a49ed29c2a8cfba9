import numpy as np
import pytest

from agentad.bench import bench_tables, pyod_engine
from agentad.bench.methods import names
from agentad.bench.tables import Tables
from agentad.errors import Infeasible, InputError

ad_engine = pytest.importorskip("pyod.utils.ad_engine", reason="PyOD 3 is not installed")


whole = ad_engine.ADEngine


def rows(n, seed):
    return np.random.default_rng(seed).normal(size=(n, 3)).astype(np.float32)


def test_the_detector_that_the_engine_names_best_judges():
    z = np.concatenate([rows(200, 0), [[9, 9, 9]]]).astype(np.float32)
    fitted = pyod_engine.engine(z, np.arange(201), 0)
    state = ad_engine.ADEngine(random_state=0).investigate(z.astype(np.float64))
    best = state.results[state.analysis["best_detector_index"]]
    assert best["detector_name"] == state.analysis["best_detector"]
    np.testing.assert_array_equal(fitted.held_out.item, best["scores_train"])
    np.testing.assert_allclose(fitted.score(rows(50, 1)).item, best["detector"].decision_function(rows(50, 1)))
    assert fitted.held_out.item.argmax() == 200
    assert fitted.score(np.array([[9, -9, 9]])).item > np.quantile(fitted.held_out.item, 0.99)


def test_the_engine_is_given_the_seed(monkeypatch):
    made = []
    monkeypatch.setattr(ad_engine, "ADEngine", lambda **given: made.append(given) or whole(**given))
    pyod_engine.engine(rows(50, 0), np.arange(50), 7)
    assert made == [{"random_state": 7}]


def test_when_all_its_detectors_fail_their_reasons_are_named(monkeypatch):
    def fails(self, rows, plan):
        raise ValueError(f"no {plan['detector_name']} today")

    monkeypatch.setattr(ad_engine.ADEngine, "run_detection", fails)
    with pytest.raises(Infeasible) as caught:
        pyod_engine.engine(rows(50, 0), np.arange(50), 0)
    assert str(caught.value) == (
        "PyOD's engine: all detectors failed: KNN: no KNN today; IForest: no IForest today; LOF: no LOF today"
    )


def test_it_is_a_baseline_where_it_is_named(tables):
    with_it = bench_tables(tables / "far.npz", detectors="default,pyod-engine")
    entries = {entry["detector"]: entry for entry in with_it["summary"]}
    assert entries["pyod-engine"]["auroc"] == 1
    assert entries["default"]["wins_vs"]["pyod-engine"]["ties"] == 1
    without = bench_tables(tables / "far.npz")
    assert [entry["detector"] for entry in without["summary"]] == [name for name in entries if name != "pyod-engine"]


def test_it_is_not_part_of_all():
    suite = Tables("semi", 100)
    assert suite.on_request == ("pyod-engine",)
    assert "pyod-engine" not in names("all", "table", "normal", suite.baselines, on_request=suite.on_request)
    with pytest.raises(InputError, match=r"^detector 'pyod-engine': not part of this bench, or not installed"):
        names("pyod-engine", "image", "normal", ("memory-bank",))
