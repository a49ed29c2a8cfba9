import pytest

from agentad.bench.summary import best_of, by_dataset, compare, summarise


def _row(dataset, detector, auroc, seed=0, **more):
    costs = {"fit_s": 1.0, "score_s": 0.5, "peak_mb": 100.0, "diffusion": detector == "new", "ms": 2.0}
    return {"dataset": dataset, "detector": detector, "seed": seed, "auroc": auroc, **costs, **more}


def _summary(rows, detectors, baselines=("knn1",)):
    found = summarise(rows, detectors=detectors, baselines=baselines, metrics=("auroc",), per_item=("ms",))
    return {entry["detector"]: entry for entry in found}


def test_wilcoxon_by_hand():
    # all five differences are positive: of the 2^5 signs two are as extreme, so p = 2 / 32
    one = dict(zip("abcde", (0.9, 0.8, 0.7, 0.6, 0.55), strict=True))
    other = dict(zip("abcde", (0.89, 0.78, 0.67, 0.56, 0.5), strict=True))
    assert compare(one, other) == {"wins": 5, "ties": 0, "losses": 0, "p": 2 / 32}
    # ranks 1, 2, 3, the smallest one negative: sums 5 and 1; sign patterns as extreme on a side: (), (1): p = 2 * 2 / 8
    assert compare({"a": 0.4, "b": 0.7, "c": 0.9}, {"a": 0.5, "b": 0.5, "c": 0.6}) == {
        "wins": 2, "ties": 0, "losses": 1, "p": 0.5,
    }  # fmt: skip


def test_ties_take_no_part_and_unshared_data_sets_do_not_count():
    found = compare({"a": 0.5, "b": 0.9, "only": 1.0}, {"a": 0.5, "b": 0.8, "other": 0.0})
    assert found == {"wins": 1, "ties": 1, "losses": 0, "p": 1.0}
    assert compare({"a": 0.5}, {"a": 0.5}) == {"wins": 0, "ties": 1, "losses": 0, "p": None}


def test_seeds_are_averaged_before_data_sets():
    rows = [_row("a", "new", 0.6), _row("a", "new", 0.8, seed=1), _row("b", "new", 1.0)]
    assert by_dataset(rows, "new", "auroc") == {"a": pytest.approx(0.7), "b": 1.0}
    entry = _summary(rows, ["new"], ())["new"]
    assert entry["auroc"] == pytest.approx(0.85)
    assert (entry["fit_s"], entry["score_s"], entry["cpu_s"], entry["ms"]) == (3.0, 1.5, 4.5, 2.0)
    assert (entry["diffusion"], entry["datasets"], entry["failed"]) == (True, 2, 0)


def test_equal_scores_share_a_rank_and_a_failure_is_last():
    rows = [_row("a", "new", 0.9), _row("a", "knn1", 0.9), _row("a", "gmm", 0.1)]
    rows += [
        _row("b", "new", 0.9),
        _row("b", "knn1", 0.8),
        {"dataset": "b", "detector": "gmm", "seed": 0, "error": "no"},
    ]
    found = _summary(rows, ["new", "knn1", "gmm"], ("knn1", "gmm"))
    assert [found[name]["rank"] for name in ("new", "knn1", "gmm")] == [1.25, 1.75, 3.0]
    assert found["gmm"]["failed"] == 1
    assert set(found["new"]["wins_vs"]) == {"knn1", "gmm"}
    assert set(found["knn1"]["wins_vs"]) == {"gmm"}
    assert best_of(list(found.values()), ("knn1", "gmm"), "auroc") == "knn1"


def test_parts_of_fitting_are_summed():
    rows = [_row("a", "new", 0.9, fit_s=2.0, head_s=1.5), _row("b", "new", 0.9, fit_s=1.0, head_s=0.5)]
    found = summarise(rows, detectors=["new"], baselines=(), metrics=("auroc",), per_item=(), parts=("head_s",))
    assert (found[0]["fit_s"], found[0]["head_s"]) == (3.0, 2.0)


def test_the_best_is_so_over_all_its_entries():
    means = {"one": (0.2, 0.9), "other": (0.6, 0.7), "none": (None, None)}
    entries = [{"detector": name, "ap": value} for i in (0, 1) for name, value in ((n, v[i]) for n, v in means.items())]
    assert best_of(entries, ("one", "other", "none"), "ap") == "other"


def test_nothing_finished_is_said_and_not_computed():
    entry = _summary([{"dataset": "a", "detector": "new", "seed": 0, "error": "no"}], ["new"], ())["new"]
    assert entry == {
        "detector": "new", "auroc": None, "ms": None, "rank": None, "fit_s": 0, "score_s": 0, "cpu_s": 0,
        "peak_mb": None, "diffusion": False, "datasets": 0, "failed": 1, "wins_vs": {},
    }  # fmt: skip
    assert best_of([entry], ("new",), "auroc") is None
