"""`import agentad` is quick, quiet and light."""

import subprocess
import sys

import pytest

import agentad

HEAVY = ["torch", "transformers", "diffusers", "langchain", "langgraph", "polars", "pyarrow", "sklearn"]


def _python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_import_brings_in_nothing_heavy():
    heavy = [*HEAVY, "scipy", "numpy", "pydantic"]
    loaded = _python(f"import sys, agentad; print([m for m in {heavy!r} if m in sys.modules])")
    assert loaded == "[]"


def test_the_command_line_starts_without_torch():
    heavy = HEAVY
    loaded = _python(f"import sys, agentad.cli.app; print([m for m in {heavy!r} if m in sys.modules])")
    assert loaded == "[]"


def test_exported_members_are_sorted_and_there():
    assert agentad.__all__ == sorted(agentad.__all__)
    for name in agentad.__all__:
        assert getattr(agentad, name) is not None
    assert set(agentad.__all__) <= set(dir(agentad))


def test_an_unknown_name_is_refused_with_those_there_are():
    with pytest.raises(AttributeError) as error:
        _ = agentad.detekt
    assert str(error.value) == f"module 'agentad' has no attribute 'detekt'; it has {', '.join(agentad.__all__)}"
