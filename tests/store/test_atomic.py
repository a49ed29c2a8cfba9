import pytest

from agentad.store.atomic import clear_parts, publish, publish_folder, whole_folder, write_bytes, write_json


def _names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_write_replaces_whole(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"b": 1, "a": [None, "ü"]})
    assert path.read_text(encoding="utf-8") == '{\n "a": [\n  null,\n  "ü"\n ],\n "b": 1\n}\n'
    write_bytes(path, b"new")
    assert path.read_bytes() == b"new"
    assert _names(tmp_path) == ["a.json"]


def test_nan_is_refused_and_the_old_file_stays(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, 1)
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, float("nan"))
    assert path.read_text(encoding="utf-8") == "1\n"


def test_a_folder_appears_only_when_its_block_ends(tmp_path):
    target = tmp_path / "step"
    with pytest.raises(RuntimeError), whole_folder(target) as part:
        (part / "x").write_text("half")
        raise RuntimeError
    assert _names(tmp_path) == []
    for content in ("one", "two"):
        with whole_folder(target) as part:
            (part / "x").write_text(content)
            assert not (target / "x").exists() or (target / "x").read_text() == "one"
        assert (target / "x").read_text() == content
    assert _names(tmp_path) == ["step"]


def test_publish_twice_leaves_one_name(tmp_path):
    (tmp_path / "source").write_text("s")
    for _ in range(2):
        publish(tmp_path / "source", tmp_path / "target")
    assert _names(tmp_path) == ["source", "target"]
    assert (tmp_path / "target").read_text() == "s"


def test_leftovers_are_swept_and_nothing_else(tmp_path):
    (tmp_path / ".part-x").mkdir()
    (tmp_path / ".part-x" / "y").write_text("")
    (tmp_path / ".part-z").write_text("")
    (tmp_path / "kept").write_text("")
    clear_parts(tmp_path)
    assert _names(tmp_path) == ["kept"]


def test_a_folder_is_published_file_by_file(tmp_path):
    (tmp_path / "source" / "inner").mkdir(parents=True)
    (tmp_path / "source" / "inner" / "a.txt").write_text("a")
    (tmp_path / "source" / "b.txt").write_text("b")
    publish_folder(tmp_path / "source", tmp_path / "target")
    assert (tmp_path / "target" / "inner" / "a.txt").samefile(tmp_path / "source" / "inner" / "a.txt")
    assert (tmp_path / "target" / "b.txt").read_text() == "b"
