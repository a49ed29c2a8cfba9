import pytest

from agentad.loop.delivery import folder_names


@pytest.mark.parametrize(
    ("kinds", "names"),
    [
        (["scratch", "scratch"], {"scratch": "scratch"}),
        ([""], {"": "invented"}),
        (["../../etc"], {"../../etc": "etc"}),
        (["good"], {"good": "not-good"}),
        (["a/b", "a b", "A-b"], {"A-b": "A-b", "a b": "a-b-2", "a/b": "a-b-3"}),
        (["x" * 300], {"x" * 300: "x" * 60}),
        ([".."], {"..": "invented"}),
    ],
)
def test_folders_are_safe_and_differ(kinds, names):
    assert folder_names(kinds) == names
