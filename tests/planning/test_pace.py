import re

import pytest

from agentad.planning.pace import paced
from agentad.planning.rules import RulePlanner
from agentad.planning.situation import Situation

LITE = {"size": 288, "dtype": "bfloat16", "tiles": 1}


@pytest.mark.parametrize(
    ("words", "tool", "params"),
    [
        ("find scratches", "dinov2-lite", {"side": 18, "tiles": 0}),
        ("find scratches, be quick", "efficientnet-lite0", LITE),
        ("take your time", "dinov2-lite", {"side": 24, "tiles": 0}),
        ("at most 5 s an image", "dinov2-lite", {"side": 18, "tiles": 0}),
        ("at most 150 ms an image", "dinov2-lite", {"side": 18, "tiles": 1}),
        ("accurate, at most 210 ms an image", "dinov2-lite", {"side": 24, "tiles": 1}),
        ("at most 60 ms an image", "dinov2-lite", {"side": 12, "tiles": 1}),
        ("at most 45 ms an image", "efficientnet-lite0", LITE),
        ("at most 10 ms an image", "efficientnet-lite0", LITE | {"size": 128}),
    ],
)
def test_the_encoder_follows_the_time(cards, asked, images, words, tool, params):
    encoder = RulePlanner().plan(asked(words), images(normal=200), cards).encoder
    assert encoder.tool == tool
    assert {name: encoder.params[name] for name in params} == params


@pytest.mark.parametrize("milliseconds", [9, 15, 30, 45, 60, 100, 200])
def test_a_budget_is_kept_for_encoding_and_detector_together(cards, asked, images, milliseconds):
    plan = RulePlanner().plan(asked(f"accurate, at most {milliseconds} ms an image"), images(normal=200), cards)
    encoding, detecting = (int(found) for found in re.findall(r"\d+(?= CPU-milli| for bank)", plan.encoder.why))
    assert 0 < encoding + detecting <= milliseconds + 1  # rounded
    assert plan.assumptions[-1].endswith("yours may be slower.")


def test_the_plan_says_why(cards, asked, images):
    plan = RulePlanner().plan(asked("1 % false alarms, fast"), images(normal=200), cards)
    assert plan.encoder.why == (
        "Chosen for “fast”: 324 patches, large images scaled down as a whole, about 13 CPU-milliseconds an image to "
        "encode and 30 for bank-diffusion."
    )
    assert plan.assumptions == ()


def test_a_budget_that_nothing_keeps_is_said_to_be_exceeded(cards, asked, images):
    plan = RulePlanner().plan(asked("1 % false alarms, 2 ms an image"), images(normal=200), cards)
    assert plan.encoder.params["size"] == 128
    assert plan.assumptions == (
        "“2 ms an image” cannot be kept: the quickest, efficientnet-lite0 with bank-diffusion, takes about 3 "
        "CPU-milliseconds an image to encode and 6 for bank-diffusion.",
    )


def test_what_is_not_there_or_not_wanted_is_passed_over(cards, asked, images):
    only_dino = RulePlanner(available=["dinov2-small"]).plan(asked("be fast"), images(normal=200), cards)
    assert (only_dino.encoder.tool, only_dino.encoder.params["size"]) == ("dinov2-small", 168)
    without = RulePlanner().plan(asked("be fast", exclude=("efficientnet-lite0",)), images(normal=200), cards)
    assert without.encoder.tool == "dinov2-small"
    nothing = RulePlanner(available=[]).plan(asked("be fast"), images(normal=200), cards)
    assert nothing.encoder.tool == "patch-filters"
    assert nothing.assumptions[-1] == (
        "You say “fast”: no encoder that can be used here has settings for that; nothing was changed."
    )


def test_a_detector_of_unknown_cost_is_not_counted(cards, asked, images):
    step, _ = paced(Situation(asked("be fast"), images(normal=200), cards), "normal", "mahalanobis")
    assert step.why.endswith("to encode; the time of mahalanobis is not known and not counted.")


def test_rows_are_quick_anyway(cards, asked, table):
    plan = RulePlanner().plan(asked("be fast, 1 % false alarms"), table(normal=300), cards)
    assert plan.encoder.tool == "table-encoder"
    assert plan.assumptions == (
        "You say “fast”: no encoder that can be used here has settings for that; nothing was changed.",
    )
