import pytest

from agentad.errors import InputError
from agentad.flow import Brief
from agentad.generators.images.conditions import brief_from_words

KINDS = ("bent_lead", "scratch_head")


@pytest.mark.parametrize(
    ("texts", "brief"),
    [
        ((), Brief()),
        (("type=bent_lead", "place=edge"), Brief(kind="bent_lead", place="edge")),
        (("shape=crack", "size=0.01..0.05"), Brief(shape="crack", size=(0.01, 0.05))),
        (("type = bent_lead", "shape=hole"), Brief(kind="bent_lead", shape="hole")),
        (("strength=0.5..1.5",), Brief(strength=(0.5, 1.5))),
        (("strength=2",), Brief(strength=(2, 2))),
        (("size=.04",), Brief(size=(0.032, 0.05))),
        (("text=a dent = deep",), Brief(text="a dent = deep")),
        (("type=scratch",), Brief(shape="scratch")),
    ],
)
def test_conditions_make_a_brief(texts, brief):
    assert brief_from_words(texts, KINDS) == brief


@pytest.mark.parametrize(
    ("texts", "complaint"),
    [
        (
            ("colour=red",),
            "condition 'colour=red' is not understood; for images give type, shape, size, place, strength, text = …",
        ),
        (
            ("big",),
            "condition 'big' is not understood; for images give type, shape, size, place, strength, text = …",
        ),
        (
            ("type=dent",),
            "condition 'type=dent': the real types are bent_lead, scratch_head, and shapes that can be drawn are "
            "scratch, hole, stain, crack, missing",
        ),
        (("shape=dent",), "condition 'shape=dent': the shapes are scratch, hole, stain, crack, missing"),
        (("place=top",), "condition 'place=top': the places are object, centre, edge, anywhere"),
        (("size=big",), "condition 'size=big': give a number, or two as size=0.01..0.05"),
        (("size=-1",), "condition 'size=-1': give a number, or two as size=0.01..0.05"),
        (("place=edge", "place=centre"), "condition 'place=centre': place is given twice; give it once"),
        (("type=hole", "shape=crack"), "type=hole is a shape, and shape=crack is another; give one of them"),
    ],
)
def test_what_is_wrong_is_said(texts, complaint):
    with pytest.raises(InputError) as caught:
        brief_from_words(texts, KINDS)
    assert str(caught.value) == complaint


@pytest.mark.parametrize("text", ["size=0.5..0.1", "size=0..0.1", "size=0.1..2", "strength=0"])
def test_ranges_that_are_none_are_refused(text):
    with pytest.raises(InputError, match=rf"^conditions {text}: .*(give two numbers above 0|at most 1)"):
        brief_from_words([text], KINDS)
