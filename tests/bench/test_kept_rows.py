import pytest

from agentad.bench.kept import Kept
from agentad.errors import InputError

ROW = {"dataset": "a", "detector": "knn1", "seed": 0, "auroc": 0.5}


def test_rows_come_back_in_the_order_asked_for(tmp_path):
    kept = Kept(tmp_path / "new" / "rows.jsonl", "me")
    for dataset, seed in (("b", 0), ("a", 1), ("a", 0)):
        kept.add({**ROW, "dataset": dataset, "seed": seed})
    again = Kept(tmp_path / "new" / "rows.jsonl", "me")
    assert [(r["dataset"], r["seed"]) for r in again.rows(["a", "b"], ["knn1"], 2)] == [("a", 0), ("a", 1), ("b", 0)]
    assert again.rows(["a"], ["knn1"], 1) == [ROW]
    assert again.finished("a", "knn1", 1)
    assert not again.finished("b", "knn1", 1)


def test_a_failure_is_kept_but_not_finished_and_a_later_row_replaces_it(tmp_path):
    kept = Kept(tmp_path / "rows.jsonl", "me")
    kept.add({"dataset": "a", "detector": "knn1", "seed": 0, "error": "why"})
    assert not Kept(tmp_path / "rows.jsonl", "me").finished("a", "knn1", 0)
    kept.add(ROW)
    assert Kept(tmp_path / "rows.jsonl", "me").rows(["a"], ["knn1"], 1) == [ROW]


def test_rows_with_other_shots_are_other_rows(tmp_path):
    kept = Kept(tmp_path / "rows.jsonl", "me")
    for shots in (5, 1):
        kept.add({**ROW, "shots": shots})
    again = Kept(tmp_path / "rows.jsonl", "me")
    assert [row["shots"] for row in again.rows(["a"], ["knn1"], 1, (1, 5, 10))] == [1, 5]
    assert again.finished("a", "knn1", 0, 5)
    assert not again.finished("a", "knn1", 0, 10)
    assert not again.finished("a", "knn1", 0)


def test_rows_of_other_code_data_or_arguments_do_not_count(tmp_path):
    Kept(tmp_path / "rows.jsonl", "other").add(ROW)
    kept = Kept(tmp_path / "rows.jsonl", "me")
    assert not kept.finished("a", "knn1", 0)
    kept.add(ROW)
    assert Kept(tmp_path / "rows.jsonl", "other").finished("a", "knn1", 0)


def test_half_a_line_is_cut_off(tmp_path):
    path = tmp_path / "rows.jsonl"
    Kept(path, "me").add(ROW)
    whole = path.read_text(encoding="utf-8")
    path.write_text(whole + whole[:20], encoding="utf-8")
    kept = Kept(path, "me")
    kept.add({**ROW, "seed": 1})
    assert len(Kept(path, "me").rows(["a"], ["knn1"], 2)) == 2


@pytest.mark.parametrize("line", ["not JSON", "[1]", '{"dataset": "a"}'])
def test_a_file_that_is_something_else_is_left_alone(tmp_path, line):
    path = tmp_path / "precious.txt"
    path.write_text(line + "\n", encoding="utf-8")
    with pytest.raises(InputError) as caught:
        Kept(path, "me")
    assert str(caught.value) == f"{path}: line 1 is not a row of a bench; give another file with --out"
    assert path.read_text(encoding="utf-8") == line + "\n"
