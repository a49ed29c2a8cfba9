"""What the page shows of images, with a detector that is known by construction."""

from dataclasses import dataclass
from io import BytesIO
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from agentad.detectors.base import Scores
from agentad.flow import RegionEvidence, ScoredItem
from agentad.modalities.image import open_images
from agentad.steps.pictures import exhibits
from agentad.tools.road import Batch


@dataclass
class Fitted:
    """A detector that found the square of image `i`, at known places."""

    scorer: object
    local_level: float = 1.0
    plan = SimpleNamespace(modality="image")
    encoder = None

    @property
    def road(self):
        return SimpleNamespace(
            batches=lambda encoder, data, index: iter([Batch(index, None, np.zeros((len(index), 1)))])
        )


class Restorer:
    """Has every image mid-grey, and says what it was asked for."""

    def __init__(self):
        self.asked = []

    def score(self, x):
        return Scores(np.zeros(len(x)))

    def reconstruct(self, x):
        self.asked.append(len(x))
        return np.full((len(x), 32, 32, 3), 0.5, np.float32)


@pytest.fixture
def found(spots):
    """The data, and the first image with a spot as it was scored."""
    data = open_images(spots)
    (i,) = (k for k, name in enumerate(data.items.id) if name == "test/spot/01.png")
    region = RegionEvidence(
        box=(18, 32, 26, 40),
        area=64,
        peak=5.0,
        peak_at=(20, 35),
        polygon=((18.0, 32.0), (26.0, 32.0), (26.0, 40.0)),
        doubt=0.9,
        neighbour="train/good/03.png",
        neighbour_cell=(0.25, 0.5, 0.25, 0.25),
    )
    plain = region.model_copy(update={"polygon": (), "doubt": None})
    item = ScoredItem(id="test/spot/01.png", score=5.0, p_value=0.01, flag=True, evidence=(region, plain))
    local = np.ones((4, 4))
    local[2, 1] = 5
    return data, {i: item}, {i: local}


def pixels(picture):
    return np.asarray(Image.open(BytesIO(picture.data)))


def test_panels_lie_side_by_side(found):
    shown = exhibits(Fitted(object()), *found)
    panel = shown["panels"]["test/spot/01.png"]
    assert [p.caption for p in panel] == ["original", "local scores", "truth", "around the peak", "nearest normal"]
    assert len({p.data for p in panel}) == 5
    assert panel[1].alt == "test/spot/01.png with its local scores; 2 regions outlined"
    assert panel[4].alt == "nearest normal patch, in train/good/03.png"


def test_regions_are_outlined_as_shares_of_the_picture_and_dashed_where_in_doubt(found):
    shown = exhibits(Fitted(object()), *found)
    polygon, box = shown["panels"]["test/spot/01.png"][1].outlines
    assert polygon.points == ((18 / 64, 0.5), (26 / 64, 0.5), (26 / 64, 40 / 64))
    assert polygon.path == "281,500 406,500 406,625"
    assert polygon.doubtful
    assert box.points == ((18 / 64, 0.5), (26 / 64, 0.5), (26 / 64, 40 / 64), (18 / 64, 40 / 64))
    assert not box.doubtful
    assert shown["tiles"]["test/spot/01.png"].outlines == (polygon, box)


def test_the_reconstruction_is_made_for_the_shown_images_alone(found):
    scorer = Restorer()
    panel = exhibits(Fitted(scorer), *found)["panels"]["test/spot/01.png"]
    assert [p.caption for p in panel] == [
        *("original", "local scores", "truth", "reconstruction", "around the peak", "nearest normal")
    ]
    assert np.abs(pixels(panel[3]).astype(int) - 128).max() <= 1
    assert scorer.asked == [1]
    data, _, _ = found
    assert exhibits(Fitted(scorer), data, {}, {})["panels"] == {}
    assert scorer.asked == [1]
