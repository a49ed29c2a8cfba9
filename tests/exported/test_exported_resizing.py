import numpy as np
import onnxruntime
import pytest
import torch

from agentad.backbones.pixels import resized as as_encoders_do
from agentad.exported.graph import Spread, write
from agentad.exported.resizing import resized
from agentad.modalities.image.maps import upsample

SIZE = 42


class Both(torch.nn.Module):
    """The resized image, and a map of its first rows at the image's size."""

    def __init__(self):
        super().__init__()
        self.spread = Spread(5, 4)

    def forward(self, image):
        square = resized(image, SIZE, SIZE)
        return {"square": square.int(), "map": self.spread(square[0, 0, :5, :4].float(), image)}


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    path = tmp_path_factory.mktemp("resizing") / "both.onnx"
    assert write(Both().eval(), path) == ("square", "map")
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


@pytest.mark.parametrize(
    ("height", "width"),
    [(42, 42), (42, 90), (77, 100), (41, 43), (20, 20), (1, 1), (1, 900), (700, 2), (301, 203), (640, 480), (5, 4)],
)
def test_the_graph_resizes_to_the_same_grey_levels_and_spreads_the_same_map(session, height, width):
    image = np.random.default_rng(height).integers(0, 256, (height, width, 3), dtype=np.uint8)
    image[: height // 2] = image[: height // 2] // 128 * 255  # saturation is where rounding goes wrong
    square, spread = session.run(["square", "map"], {"image": image[None]})
    expected = as_encoders_do(image, SIZE, SIZE).numpy()
    np.testing.assert_array_equal(square[0], expected)
    np.testing.assert_allclose(spread, upsample(expected[0, :5, :4].astype(np.float32), (width, height)), atol=1e-3)


def test_in_torch_too():
    image = np.random.default_rng(0).integers(0, 256, (60, 31, 3), dtype=np.uint8)
    np.testing.assert_array_equal(
        resized(torch.from_numpy(image)[None], SIZE, SIZE)[0], as_encoders_do(image, SIZE, SIZE)
    )
