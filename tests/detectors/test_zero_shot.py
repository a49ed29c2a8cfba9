import sys
from pathlib import Path

import numpy as np
import pytest

from agentad.detectors.zero_shot import ZeroShotClip, harmonic, sentences
from agentad.errors import InputError

sys.path.append(str(Path(__file__).parents[1] / "backbones"))
from tiny_clip import tiny


@pytest.fixture
def x():
    return np.random.default_rng(0).random((3, 40, 40, 3)).astype(np.float16)


@pytest.fixture
def model(tmp_path):
    return str(tiny("clip", tmp_path / "model"))


def test_scores_follow_the_two_states(model, x):
    detector = ZeroShotClip(model=model, object_name="screw").fit(x)
    scores = detector.score(x)
    assert (scores.item.shape, scores.local.shape) == ((3,), (3, 40, 40))
    assert ((scores.item > 0) & (scores.item < 1)).all()
    assert scores.local.std() > 0
    detector._states = detector._states[::-1].copy()  # what was normal is damaged now
    turned = detector.score(x)
    for image in range(3):
        one, other = (s for s in (scores, turned))
        whole = 2 * np.array([one.item[image], other.item[image]]) - [one.local[image].max(), other.local[image].max()]
        np.testing.assert_allclose(whole.sum(), 1, atol=1e-5)  # s and 1 − s of the whole image


def test_what_is_learned_from_only_calibrates(model, x):
    detector = ZeroShotClip(model=model).fit(x[:2])
    np.testing.assert_array_equal(detector.held_out.item, detector.score(x[:2]).item)
    np.testing.assert_array_equal(ZeroShotClip(model=model).fit(x).score(x).local, detector.score(x).local)


def test_without_items_and_with_random_weights_it_says_so(tmp_path, x):
    random, trained = (str(tiny("siglip", tmp_path / name, trained=name == "t")) for name in ("r", "t"))
    noise = "The weights of zero-shot-clip are random, not trained: its scores mean nothing."
    assert ZeroShotClip(model=random).fit(x).notes == (noise,)
    empty = ZeroShotClip(model=trained).fit(x[:0])
    assert empty.held_out.item.shape == (0,)
    assert empty.notes == ("No item to learn from: the threshold of zero-shot-clip is not calibrated.",)
    assert ZeroShotClip(model=trained).fit(x).notes == ()
    assert ZeroShotClip.restore(empty.state()).notes == empty.notes


def test_saved_and_restored_it_needs_the_model_no_more(tmp_path, x):
    folder = tiny("clip", tmp_path / "model")
    detector = ZeroShotClip(model=str(folder)).fit(x)
    for path in folder.iterdir():
        path.unlink()
    np.testing.assert_array_equal(ZeroShotClip.restore(detector.state()).score(x).local, detector.score(x).local)


def test_an_objects_name_is_data():
    found = sentences("$object STATE {0} screw")
    assert "a photo of a flawless $object STATE {0} screw." in found["normal"]
    assert "a photo of the $object STATE {0} screw with defect." in found["anomalous"]
    assert "a close-up photo of a damaged $object STATE {0} screw." in found["anomalous"]
    assert len(found["normal"]) == 7 * 9


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 61])
def test_a_name_that_is_none_is_refused(name):
    with pytest.raises(InputError) as caught:
        sentences(name)
    assert str(caught.value) == (f"zero-shot-clip.object_name = {name!r}: give a name of 1 to 60 printable characters")


def test_the_harmonic_mean_is_high_only_where_all_are():
    found = harmonic(np.array([[0.5, 0.9], [0.5, 0.1]]))
    np.testing.assert_allclose(found, [0.5, 0.18])


def test_settings_that_cannot_work_are_named(model, x):
    with pytest.raises(InputError, match=r"^zero-shot-clip.model is empty; give the folder"):
        ZeroShotClip().fit(x)
    with pytest.raises(InputError, match=r'^zero-shot-clip.windows = "2;3": give sides in patches, such as "2,3"$'):
        ZeroShotClip(windows="2;3")
    with pytest.raises(InputError, match=r'^zero-shot-clip.windows = "9": the model has 4 patches a side$'):
        ZeroShotClip(model=model, windows="9").fit(x)
