"""The wheel carries its prompts, cards and recipes, and finds them without the checkout."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROBE = """
import pathlib, sys
import agentad, agentad.assets as assets
from agentad.report import template
from agentad.tools.cards import load_cards, resolve
home = pathlib.Path(sys.argv[1]).resolve()
assert pathlib.Path(agentad.__file__).resolve().is_relative_to(home), agentad.__file__
for kind in ("prompts", "tools", "recipes"):
    assert assets.built_in(kind).resolve().is_relative_to(home), kind
print(len(load_cards()), len(assets.listing("recipes", ".yaml")), len(assets.listing("prompts", ".md")))
for name in ("page.html.j2", "round.html.j2"):
    template.template(name)
"""


@pytest.mark.slow
def test_the_wheel_installed_clean_finds_its_data(tmp_path):
    if not (ROOT / "pyproject.toml").is_file():
        pytest.skip("the sources are not here")
    build = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*build, "--wheel-dir", str(tmp_path), str(ROOT)], check=True, timeout=300)
    (wheel,) = tmp_path.glob("agentad-*.whl")
    home = tmp_path / "home"
    install = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index", "--target", str(home)]
    subprocess.run([*install, str(wheel)], check=True, timeout=300)
    probe = [sys.executable, "-c", PROBE, str(home)]
    told = subprocess.run(
        probe, cwd=tmp_path, env={"PYTHONPATH": str(home), "PATH": ""}, capture_output=True, text=True, timeout=120
    )
    assert told.returncode == 0, told.stderr
    cards, recipes, prompts = map(int, told.stdout.split())
    assert cards == len(list((ROOT / "tools").glob("*.md"))) > 0
    assert recipes == len(list((ROOT / "recipes").glob("*.yaml"))) > 0
    assert prompts == len(list((ROOT / "prompts").rglob("*.md"))) > 0
