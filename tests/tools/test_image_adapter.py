"""A head that looks at images: from the loop's workshop to a detector folder that is loaded, used, and made plain."""

import shutil

import numpy as np
import pytest
from safetensors.numpy import save_file

from agentad.backbones import checkpoint
from agentad.backbones.vit_layout import Vit, config, expected_shapes
from agentad.flow import Loop, Plan, Step
from agentad.loop.workshop import workshop
from agentad.store.atomic import write_json
from agentad.tools import fitted as tool
from agentad.tools import images
from agentad.tools.adapter import adapted, load, save_adapter
from agentad.tools.road import silent

VIT = Vit(hidden=12, blocks=1, heads=2, mlp_ratio=2, patch=14, image=42)
HEAD = Step(tool="lora-head", params={"steps": 2, "fine": 1}, why="")


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    folder = tmp_path / "local" / "dinov2-small"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    weights = {name: rng.normal(0, 0.3, shape).astype(np.float32) for name, shape in expected_shapes(VIT).items()}
    save_file(weights, folder / checkpoint.WEIGHTS)
    write_json(folder / checkpoint.CONFIG, config(VIT))
    checkpoint.note_source(folder, {"licence": "Apache-2.0", "origin": "a test"})
    monkeypatch.setenv("AGENTAD_WEIGHTS", str(folder.parent))


def test_the_adapter_is_used_and_can_be_taken_away(tiny, spots, tmp_path):
    data = images.look(spots)
    plan = Plan(
        request="find the bad ones",
        modality="image",
        training="normal",
        encoder=Step(tool="dinov2-small", params={"size": 112, "blocks": "1", "tiles": 1}, why=""),
        detector=Step(tool="memory-bank", params={"size": 500}, why=""),
        loop=Loop(head=HEAD),
    )
    train = np.flatnonzero([str(name).startswith("train") for name in data.items.id])
    encoder, sample, x = tool.encode_sample(plan, data, train)
    fitted = tool.fit(plan, plan.detector, encoder, x, data.items.take(sample))
    bad = np.flatnonzero(data.items.label == 1)
    held_out = (sample, fitted.scorer.held_out)
    shop = workshop("image", plan.loop, fitted, data, held_out, bad, seed=0, progress=silent)
    head = tool.make(HEAD).fit(shop.real.normal, shop.real.known)
    own = adapted(fitted, HEAD, head)
    folder = tmp_path / "detector"
    tool.save(fitted, folder)
    plain = load(folder)
    save_adapter(own, folder)
    again = load(folder)
    for batch, scores in again.scored(data, bad):
        np.testing.assert_array_equal(scores.local, own.score(data, batch).local)
        assert not np.array_equal(scores.item, plain.score(data, batch).item)
        np.testing.assert_array_equal(batch.x, next(images.batches(encoder, data, batch.index)).x)
        assert len(again.evidence(data, batch, scores)) == len(batch.index)
    shutil.rmtree(folder / "adapter")
    for batch, scores in load(folder).scored(data, bad):
        np.testing.assert_array_equal(scores.item, fitted.score(data, batch).item)
    # what is invented carries its images too
    assert len(shop.judged([data.read(0)], [np.ones(data.size(0)[::-1], bool)]).pictures.read) == 1
