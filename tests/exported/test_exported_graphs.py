"""Each part as a torch module gives what the part itself gives."""

import numpy as np
import pytest
import torch

from agentad.backbones.dino import DinoPatches
from agentad.backbones.filters import PatchFilters
from agentad.detectors.bank_diffusion import BankDiffusion
from agentad.detectors.conformal import Calibration
from agentad.detectors.feature_diffusion import FeatureDiffusion
from agentad.detectors.memory_bank import MemoryBank
from agentad.errors import InputError
from agentad.exported import graph
from agentad.exported.detectors import graph_of_detector
from agentad.exported.encoders import encoder_in_float32, graph_of_encoder
from agentad.exported.graph import Alarm, rounded_down

IMAGE = np.random.default_rng(3).integers(0, 256, (70, 45, 3), dtype=np.uint8)


def features(n, seed=0):
    """(n, 4, 5, 9): far from the origin, as real features are, where short distances are lost to cancellation."""
    rng = np.random.default_rng(seed)
    return (50 + rng.normal(size=(n, 4, 5, 9)) * np.linspace(0.1, 2, 9)).astype(np.float16)


@pytest.mark.parametrize(
    ("name", "detector"),
    [
        ("memory-bank", MemoryBank(size=80)),
        ("memory-bank", MemoryBank(size=80, neighbours=4, pool=1)),
        ("memory-bank", MemoryBank(size=2, neighbours=5, pool=100)),
        ("feature-diffusion", FeatureDiffusion(components=6, width=16, steps=20)),
        ("bank-diffusion", BankDiffusion(components=6, steps=20, size=60)),
        ("bank-diffusion", BankDiffusion(components=6, steps=20, size=3)),
    ],
)
def test_a_detector_as_a_graph_scores_the_same(name, detector):
    train = features(8)
    detector.fit(train)
    module = graph_of_detector(name, detector).eval()
    for item in [*features(3, seed=1), train[0]]:
        expected = detector.score(item[None])
        with torch.no_grad():
            found = module(torch.from_numpy(item[None]).float())
        scale = float(np.std(detector.held_out.local))
        np.testing.assert_allclose(found["score"], expected.item, atol=1e-4 * scale)
        np.testing.assert_allclose(found["patch_map"], expected.local[0], atol=1e-4 * scale)
        assert ("doubt" in found) == (expected.doubt is not None)
        if expected.doubt is not None:
            np.testing.assert_allclose(found["doubt"], expected.doubt[0], atol=1e-3)
        if hasattr(detector, "nearest"):
            nearest = detector.nearest(item[None])
            np.testing.assert_array_equal(found["neighbour"][..., 0], nearest.item[0])
            np.testing.assert_array_equal(found["neighbour"][..., 1], nearest.cell[0])


def test_a_remembered_patch_is_at_distance_zero():
    train = features(4)
    bank = MemoryBank(size=1000).fit(train)
    found = graph_of_detector("memory-bank", bank)(torch.from_numpy(train[:1]).float())
    assert found["patch_map"].abs().max() == 0


@pytest.mark.parametrize("per", ["image", "position"])
def test_mahalanobis_scores_the_same(per):
    module = pytest.importorskip("agentad.detectors.mahalanobis")
    train = features(12)
    detector = module.Mahalanobis(per=per, dimensions=5).fit(train)
    expected = detector.score(train[:1])
    found = graph_of_detector("mahalanobis", detector)(torch.from_numpy(train[:1]).float())
    np.testing.assert_allclose(found["patch_map"], expected.local[0], rtol=1e-4)
    np.testing.assert_allclose(found["score"], expected.item, rtol=1e-4)


def test_filters_as_matrices():
    encoder = PatchFilters(size=56, patch=14)
    found = graph_of_encoder(encoder)(torch.from_numpy(IMAGE)[None])
    np.testing.assert_allclose(found, encoder.encode([IMAGE]), atol=2e-3)
    assert np.median(np.abs(found.numpy() - encoder.encode([IMAGE]))) == 0


@pytest.mark.usefixtures("tiny_weights_here")
def test_a_network_is_traced_as_it_is():
    encoder = DinoPatches(blocks="1,3", size=56, dtype="float32")
    with torch.no_grad():
        found = graph_of_encoder(encoder)(torch.from_numpy(IMAGE)[None])
    np.testing.assert_array_equal(found, encoder.encode([IMAGE]).astype(np.float32))
    assert encoder_in_float32(encoder) is encoder


@pytest.mark.usefixtures("tiny_weights_here")
def test_in_float32_the_weights_stay_those_of_the_detector():
    kept = DinoPatches(blocks="1,3", size=56)
    exact = encoder_in_float32(kept)
    assert not np.array_equal(exact.encode([IMAGE]), kept.encode([IMAGE]))
    np.testing.assert_allclose(exact.encode([IMAGE]), kept.encode([IMAGE]), atol=0.1)
    assert {t.dtype for t in exact._weights.values()} == {torch.float32}
    for name, weight in kept._weights.items():
        torch.testing.assert_close(exact._weights[name], weight.float(), rtol=0, atol=0)


class Strange:
    """An encoder or detector of somebody else."""

    def graph(self):
        return torch.nn.Identity()


def test_tools_of_others_say_themselves_how_they_are_written_down():
    assert isinstance(graph_of_encoder(Strange()), torch.nn.Identity)
    assert isinstance(graph_of_detector("strange", Strange()), torch.nn.Identity)
    assert graph_of_encoder(object()) is graph_of_detector("strange", object()) is None


def test_alarms_of_known_normals_are_exact_even_on_a_calibration_score():
    scores = np.random.default_rng(0).gamma(3, size=60)
    calibration = Calibration(scores, 0.1, known_normal=True)
    alarm = Alarm(calibration)
    near = scores.astype(np.float32)
    for score in [*near, *np.nextafter(near, np.float32(0)), *np.nextafter(near, np.float32(99)), np.float32(99)]:
        p_value, flag = alarm(torch.tensor([score]))
        assert p_value.item() == pytest.approx(calibration.p_values(np.array([score]))[0], rel=1e-6)
        assert flag.item() == calibration.flags(np.array([score]))[0]


def test_alarms_of_a_fitted_null_are_interpolated():
    rng = np.random.default_rng(0)
    calibration = Calibration(rng.gamma(3, size=400), 0.05, known_normal=False)
    alarm = Alarm(calibration)
    for score in rng.uniform(0.1, 30, 200).astype(np.float32):
        p_value, flag = alarm(torch.tensor([score]))
        assert p_value.item() == pytest.approx(calibration.p_values(np.array([score]))[0], rel=1e-3)
        assert flag.item() == calibration.flags(np.array([score]))[0]


def test_alarms_where_all_scores_are_alike():
    calibration = Calibration(np.full(20, 0.3), 0.05, known_normal=False)
    found = [[float(x) for x in Alarm(calibration)(torch.tensor([s]))] for s in (0.1, 0.5)]
    assert found == [[pytest.approx(1.0), 0.0], [pytest.approx(1e-12), 1.0]]


def test_what_an_onnx_file_cannot_hold_is_not_begun(monkeypatch, tmp_path):
    monkeypatch.setattr(graph, "LARGEST", 1000)
    module = graph_of_detector("memory-bank", MemoryBank(size=80).fit(features(8)))
    with pytest.raises(InputError) as error:
        graph.write(module, tmp_path / "too-large.onnx")
    assert str(error.value) == (
        "0.0 GB of weights are more than the 2 GB that one ONNX file holds; fit with a smaller `size`"
    )


@pytest.mark.usefixtures("tiny_weights_here")
def test_the_weights_of_a_network_are_counted_once():
    one, four = (
        sum(p.numel() for p in graph_of_encoder(DinoPatches(blocks="1,3", size=56, tiles=tiles)).parameters())
        for tiles in (1, 2)
    )
    assert 0 < one == four


def test_rounding_down_never_rounds_up():
    values = np.array([0.1, 0.3, 1.0, -0.1, 2.0**-30, 1e9 + 1])
    found = rounded_down(values).numpy().astype(np.float64)
    assert (found <= values).all()
    np.testing.assert_allclose(found, values, rtol=1e-6)
