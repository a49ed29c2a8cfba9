import os

import pytest

from agentad.store.documents import LARGEST_YAML, parse_yaml, read_json, read_text


def test_text_is_read_up_to_its_limit(tmp_path):
    path = tmp_path / "a"
    path.write_text("äöü", encoding="utf-8")
    assert read_text(path, 6) == "äöü"
    with pytest.raises(ValueError, match=r"^larger than 5 bytes$"):
        read_text(path, 5)


def test_a_pipe_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match=r"^not a regular file$"):
        read_text(tmp_path / "pipe", 9)


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "NaN", '{"a": Infinity}', "1" * 5000])
def test_what_is_no_json_is_a_value_error(tmp_path, text):
    (tmp_path / "a.json").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError):
        read_json(tmp_path / "a.json")


def test_plain_yaml_is_read():
    assert parse_yaml("a: [1, 2.5, yes, ~, 'x']\nb: {c: ! d}") == {"a": [1, 2.5, True, None, "x"], "b": {"c": "d"}}
    assert parse_yaml("") is None


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("a: &x 1\nb: *x", "line 2: aliases are not read here; write the value again"),
        ("a: !!int 1", "line 1: the tag tag:yaml.org,2002:int is not read here; leave it out"),
        ("\n- !own 1", "line 2: the tag !own is not read here; leave it out"),
    ],
)
def test_aliases_and_tags_are_refused(text, complaint):
    with pytest.raises(ValueError) as caught:
        parse_yaml(text)
    assert str(caught.value) == complaint


def test_deep_yaml_is_refused():
    with pytest.raises(ValueError, match="recursion"):
        parse_yaml("[" * (LARGEST_YAML // 8))
