"""A finished detector for the tests below this folder."""

from importlib import import_module
from pathlib import Path

import pytest
from broken_images import good
from front_door import call

OPTIONS = ["--exclude", "bank-diffusion", "--exclude", "feature-diffusion", "--json"]


@pytest.fixture(scope="session")
def detector(tmp_path_factory):
    """A detector fitted to a few good images, without pretrained weights."""
    for slow in ("agentad.graph", "agentad.backbones.filters", "agentad.detectors.bank_diffusion"):
        import_module(slow)  # minutes on a machine that does much else, and no hang
    root = tmp_path_factory.mktemp("fitted")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AGENTAD_RUNS", str(root / "runs"))
        patch.setenv("AGENTAD_CACHE", str(root / "cache"))
        patch.delenv("AGENTAD_WEIGHTS", raising=False)
        done = call("run", "find the bad ones", "--data", good(root / "data"), *OPTIONS)
    assert done.code == 0, done.err
    return Path(done.document["detector"])
