import numpy as np
import pytest
from small_world import World, anomalous_image, normal_image, rows_world

from agentad.flow import Reliability, Verdict
from agentad.llm.scripted import ScriptedChat
from agentad.llm.structured import ModelChat
from agentad.verifiers.calibrate import Tried
from agentad.verifiers.panel import Panel, usual


class Fixed:
    """Values by position in the first score; counts what it is asked."""

    checks = "whether it is so"

    def __init__(self, name, values, *, costly=False, reasons=None):
        self.name, self.values, self.costly, self.asked = name, np.array(values, float), costly, []
        if reasons:
            self.reasons = reasons

    def measure(self, items):
        at = items.judged.scores.item.astype(int)
        self.asked.append(at.tolist())
        return self.values[at]


def tried(verifier, *, used=True):
    return Tried(verifier, Reliability(verifier=verifier.name, used=used, cut=0.5), {})


@pytest.fixture
def items():
    normal, _, _ = rows_world(normals=4)
    judged = normal.judged
    scores = type(judged.scores)(np.arange(4.0))
    return type(normal)(type(judged)(judged.x, scores), normal.kind)


def test_verdicts_counts_and_first_rejecters(items):
    first, second = Fixed("one", [1, 0, np.nan, 0]), Fixed("two", [1, 1, 0.25, 0], reasons=["", "", "odd", "worse"])
    panel = Panel((tried(first), tried(second), tried(Fixed("three", [0] * 4), used=False)))
    found = panel.inspect(items)
    assert found.accepted.tolist() == [True, False, False, False]
    assert found.rejected_by == (None, "one", "two", "one")
    assert found.rejected == {"one": 2, "two": 2}
    assert found.verdicts[2] == (
        Verdict(verifier="one", passed=None, why="nothing to tell it by"),
        Verdict(verifier="two", passed=False, value=0.25, why="whether it is so: 0.25, less than 0.5 (odd)"),
    )
    assert [one.verifier for one in panel.reliabilities] == ["one", "two", "three"]


def test_costly_ones_are_asked_last_and_only_about_what_is_left(items):
    costly = Fixed("costly", [1, 1, 0, 1], costly=True)
    found = Panel((tried(costly), tried(Fixed("cheap", [1, 0, 1, 0])))).inspect(items)
    assert costly.asked == [[0, 2]]
    assert found.rejected_by == (None, "cheap", "costly", "cheap")
    assert [v.verifier for v in found.verdicts[0]] == ["cheap", "costly"]


def test_a_costly_one_is_not_asked_when_nothing_is_left(items):
    costly = Fixed("costly", [1] * 4, costly=True)
    Panel((tried(costly), tried(Fixed("cheap", [0] * 4)))).inspect(items)
    assert costly.asked == []


@pytest.mark.parametrize("panel", [Panel(), Panel((tried(Fixed("one", [0] * 4), used=False),))])
def test_without_verifiers_everything_passes(panel, items):
    found = panel.inspect(items)
    assert found.accepted.tolist() == [True] * 4
    assert (found.rejected_by, found.rejected, found.verdicts) == ((None,) * 4, {}, ((),) * 4)


def test_an_empty_batch(items):
    assert Panel((tried(Fixed("one", [1] * 4)),)).inspect(items.take(np.zeros(0, np.int64))).accepted.tolist() == []


def test_invented_images_are_sorted():
    world = World()
    panel = Panel.fit(usual(), world.normal, world.real, world.encode)
    assert all(found.used for found in panel.reliabilities)
    rng = np.random.default_rng(5)
    good, mask, base = anomalous_image(rng, "rust")
    noise = np.where(mask[..., None], rng.integers(0, 256, good.shape), base).astype(np.uint8)
    beside = np.roll(mask, 18, axis=1)
    plain = normal_image(rng)
    images, masks = [good, plain, good, noise, good], [mask, mask, beside, mask, mask]
    kinds = ["rust", "rust", "rust", "", "paint"]
    found = panel.inspect(world.candidates(kinds, images, masks, [base, plain, base, base, base]))
    assert found.rejected_by == (None, "visibility", "visibility", "realism", "type")


def test_the_usual_ones_have_names_of_their_own():
    names = [one.name for one in usual(ModelChat(ScriptedChat(replies=[]), "scripted"))]
    assert names == ["visibility", "placement", "agreement", "realism", "type", "judge"]
    assert [one.name for one in usual()] == names[:-1]


def test_invented_rows_are_sorted():
    normal, real, encode = rows_world()
    panel = Panel.fit(usual(), normal, real, encode)
    assert [found.verifier for found in panel.reliabilities if found.used] == ["visibility", "realism", "type"]
    rows = np.zeros((4, 5))
    rows[0, 0], rows[1, 1], rows[2], rows[3] = 8, 8, 0, 60
    items = type(normal)(encode(rows), np.array(["hot", "cold", "hot", ""], dtype=object))
    assert panel.inspect(items).rejected_by == (None, "type", "visibility", "realism")
