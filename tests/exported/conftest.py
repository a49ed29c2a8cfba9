"""Small fitted detectors of images, and one export that tests share."""

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

sys.path.insert(0, str(Path(__file__).parent.parent / "backbones"))

from tiny_dino import VIT, tiny_weights

from agentad.backbones import checkpoint
from agentad.backbones.vit_layout import config
from agentad.flow import Plan, Step
from agentad.modalities.image import open_images
from agentad.store.atomic import write_json
from agentad.tools import fitted

FILTERS = Step(tool="patch-filters", params={"size": 112, "patch": 14}, why="a test")
DETECTORS = {
    "bank-diffusion": {"steps": 10, "size": 120, "components": 8, "folds": 2},
    "feature-diffusion": {"steps": 10, "components": 8, "width": 16, "folds": 2},
    "memory-bank": {"size": 150, "neighbours": 3},
}


@pytest.fixture
def tiny_weights_here(tmp_path, monkeypatch):
    """`dinov2-small` as a local folder with tiny weights."""
    folder = tmp_path / "local" / "dinov2-small"
    folder.mkdir(parents=True)
    save_file(tiny_weights(), folder / checkpoint.WEIGHTS)
    write_json(folder / checkpoint.CONFIG, config(VIT))
    checkpoint.note_source(folder, {"name": "dinov2-small", "licence": "Apache-2.0", "origin": "a test"})
    monkeypatch.setenv("AGENTAD_WEIGHTS", str(folder.parent))


@pytest.fixture
def fit_on(spots):
    """A function that fits a detector on the training images of `spots` and saves it; returns its folder."""

    def fit_on(name, encoder=FILTERS, training="normal", seed=0):
        data = open_images(spots)
        plan = Plan(
            request="a test",
            intent="detect",
            modality="image",
            training=training,
            planner="rules",
            encoder=encoder,
            detector=Step(tool=name, params=DETECTORS[name], why="a test"),
            target_far=0.1,
            seed=seed,
        )
        train = np.flatnonzero([str(name).startswith("train/") for name in data.items.id])
        made, index, x = fitted.encode_sample(plan, data, train)
        folder = spots.parent / f"{name}-{encoder.tool}-{training}-{seed}"
        folder.mkdir()
        fitted.save(fitted.fit(plan, plan.detector, made, x, data.items.take(index)), folder)
        return folder

    return fit_on


@pytest.fixture(scope="session")
def kept_export(tmp_path_factory):
    """Where the first test that made an export leaves it for the others."""
    return tmp_path_factory.mktemp("exports")


@pytest.fixture
def exported(kept_export, fit_on, spots, tmp_path):
    """A bank-diffusion detector over patch filters, and a fresh copy of its export."""
    from agentad import api

    kept = kept_export / "bank-diffusion"
    detector = fit_on("bank-diffusion")
    if not kept.exists():
        api.export(detector, kept, data=spots)
    copy = tmp_path / "export"
    shutil.copytree(kept, copy)
    return detector, copy
